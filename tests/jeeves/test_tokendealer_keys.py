"""The dealer's keys: their files, their rotation, and several processes at once. No target."""

import asyncio
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fixtures.jeeves.tokendealer.keys import GRACE_S, Keys

LIFE_S = 900


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys_in(folder: Path, clock: Clock) -> Keys:
    keys = Keys(folder, LIFE_S, clock, bits=2048)
    keys.start()
    return keys


def test_the_first_start_makes_a_key_that_only_we_can_read(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "deep" / "keys"
    keys = keys_in(folder, clock)
    [file] = folder.glob("*.pem")

    assert len(keys.alive()) == 1
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    assert file.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_key_has_3072_bits_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    assert Keys(tmp_path, LIFE_S).bits == 3072


def test_the_next_start_finds_it(tmp_path: Path, clock: Clock) -> None:
    one, other = keys_in(tmp_path, clock), keys_in(tmp_path, clock)

    assert list(one.alive()) == list(other.alive())


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from fixtures.jeeves.tokendealer.keys import Keys\n"
        "keys = Keys(Path(sys.argv[1]), 900, bits=2048); sys.stdin.read(); keys.start()\n"
        "print(*keys.alive())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "keys")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdin
        process.stdin.close()
    told = {process.stdout.read() for process in started if process.stdout}
    for process in started:
        assert process.stdout
        process.stdout.close()

    assert [process.wait(30) for process in started] == [0, 0, 0]
    assert len(told) == 1
    assert len(told.pop().split()) == 1


async def test_rotations_at_once_each_make_a_key(tmp_path: Path, clock: Clock) -> None:
    keys = keys_in(tmp_path, clock)
    made = await asyncio.gather(*(asyncio.to_thread(keys.rotate) for _ in range(3)))

    assert len(keys.alive()) == 4
    assert {key.kid for key in made} < set(keys.alive())


def test_another_process_sees_a_rotation_at_once(tmp_path: Path, clock: Clock) -> None:
    one, other = keys_in(tmp_path, clock), keys_in(tmp_path, clock)
    key = one.rotate()

    assert list(other.alive())[-1] == key.kid
    assert jwt.get_unverified_header(other.signed({}))["kid"] == key.kid


def test_an_old_key_is_published_until_its_last_token_has_expired(
    tmp_path: Path, clock: Clock
) -> None:
    keys = keys_in(tmp_path, clock)
    [old] = keys.alive()
    clock.now += 10 * LIFE_S
    new = keys.rotate().kid
    clock.now += LIFE_S + GRACE_S - 1
    before = list(keys.alive())
    clock.now += 1

    assert before == [old, new]
    assert list(keys.alive()) == [new]


def test_a_rotation_deletes_the_keys_that_are_not_published_any_more(
    tmp_path: Path, clock: Clock
) -> None:
    keys = keys_in(tmp_path, clock)
    keys.rotate()
    clock.now += LIFE_S + GRACE_S + 1
    files = len(list(tmp_path.glob("*.pem")))
    keys.rotate()

    assert files == 2
    assert len(list(tmp_path.glob("*.pem"))) == 2
    assert len(keys.alive()) == 2


def test_a_clock_that_was_set_back_does_not_bring_an_old_key_back(
    tmp_path: Path, clock: Clock
) -> None:
    keys = keys_in(tmp_path, clock)
    clock.now -= 3600
    key = keys.rotate()

    assert list(keys.alive())[-1] == key.kid


def test_what_a_dead_process_left_unfinished_is_no_key(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "draft").write_text("-----BEGIN PRIV")
    keys = keys_in(tmp_path, clock)

    assert len(keys.alive()) == 1
    assert not (tmp_path / "draft").exists()


@pytest.mark.parametrize("kind", ["nonsense", "other"])
def test_a_file_that_is_no_key_of_ours_stops_the_start(
    tmp_path: Path, clock: Clock, kind: str
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "1.pem").write_bytes(pem if kind == "other" else b"nonsense")
    with pytest.raises(ValueError, match=r"1\.pem"):
        keys_in(tmp_path, clock)
