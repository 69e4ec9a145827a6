"""What a service answered, as reports show it: headers without credentials, bodies where text."""

from __future__ import annotations

from harness.secret import is_credential


def shown_value(name: str, value: str) -> str:
    """Return a header's value as it may be shown; of a cookie, its name and attributes."""
    if name.lower() == "set-cookie":
        cookie, *attributes = value.split(";")
        return ";".join([f"{cookie.partition('=')[0]}=…", *attributes])
    return "…" if is_credential(name) else value


def text_of(kept: bytes, length: int) -> str | None:
    """Decode how a body of `length` bytes begins; None where it is not text.

    The last character of what was kept may be cut off.
    """
    try:
        text = kept.decode()
    except UnicodeDecodeError as error:
        if length == len(kept) or error.start < len(kept) - 3:
            return None
        text = kept[: error.start].decode()
    return None if "\0" in text else text
