from __future__ import annotations

import ssl

from harness.standins.certificates import Certificates


def met(server: ssl.SSLContext, authority: str, host: str) -> bool:
    """Tell whether a client that trusts an authority takes a server for a host."""
    client = ssl.create_default_context(cadata=authority)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=host)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                return False
    return True


def test_hosts_before_and_after_the_authority_is_made_are_certified() -> None:
    certificates = Certificates()
    early = certificates.context_for("early.example")
    authority = certificates.authority()
    late = certificates.context_for("203.0.113.7")

    assert certificates.authority() == authority
    assert met(early, authority, "early.example")
    assert met(late, authority, "203.0.113.7")
    assert not met(early, authority, "late.example")


def test_a_host_that_no_certificate_can_name_keeps_no_other_from_its_own() -> None:
    certificates = Certificates()
    odd, fine = certificates.context_for("my_host"), certificates.context_for("fine.example")
    authority = certificates.authority()

    assert met(fine, authority, "fine.example")
    assert not met(odd, authority, "my_host")
