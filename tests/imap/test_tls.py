"""TLS on a real server: whose certificate is believed, and that no password goes without it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import trustme

from tests.imap.dovecot import DOVECOT, MASTER, MISSING, PASSWORD, Dovecot, port_of, reserved_port, room, running
from tests.imap.mail import address, make
from tests.imap.scripts import scripted
from workers.access import Access
from workers.causes import Cause, MailboxError
from workers.imap.place import place_of
from workers.imap.session import ImapSession
from workers.slots import private_slot

#: An address of loopback where Dovecot takes a client for one from elsewhere: a client's own is 127.0.0.1.
ELSEWHERE = "127.0.0.2"

_CONFIGURATION = """
listen = 127.0.0.1, {elsewhere}
ssl = required
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
disable_plaintext_auth = yes
service imap-login {{
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
"""


@dataclass(frozen=True)
class Guarded:
    """A server that takes no password without TLS, the port where TLS comes first, and who vouches for it."""

    server: Dovecot
    tls_port: int
    ca_file: str

    def urls(self) -> dict[str, str]:
        return {
            "TLS first": f"imaps://{ELSEWHERE}:{self.tls_port}",
            "STARTTLS": f"{self.plain()}?starttls=yes",
            "a name that is not in the certificate": f"imaps://localhost:{self.tls_port}",
        }

    def plain(self) -> str:
        return f"imap://{ELSEWHERE}:{self.server.port}"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    authority = trustme.CA()
    own = authority.issue_cert(ELSEWHERE)
    with room() as folder, reserved_port() as reserved:
        make(folder / "homes", 1)
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        own.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
        own.private_key_pem.write_to_path(str(folder / "server.key"))
        more = _CONFIGURATION.format(folder=folder, elsewhere=ELSEWHERE, port=port_of(reserved))
        with running(folder, [address(0)], more) as server:
            yield Guarded(server, port_of(reserved), str(folder / "ca.pem"))


def folders(url: str, access: Access) -> int:
    with ImapSession(place_of(url, access), private_slot()).open(address(0)) as mailbox:
        return len(mailbox.folders())


@pytest.mark.skipif(DOVECOT is None, reason=MISSING)
@pytest.mark.parametrize("way", ["TLS first", "STARTTLS"])
def test_a_certificate_is_looked_at_unless_told_otherwise(guarded: Guarded, way: str) -> None:
    url = guarded.urls()[way]

    assert folders(url, Access(user=MASTER, password=PASSWORD, ca_file=guarded.ca_file)) == 5
    assert folders(url, Access(user=MASTER, password=PASSWORD, verify=False)) == 5
    with pytest.raises(MailboxError, match="certificate verify failed") as caught:
        folders(url, Access(user=MASTER, password=PASSWORD))
    assert caught.value.cause is Cause.UNREACHABLE


@pytest.mark.skipif(DOVECOT is None, reason=MISSING)
def test_the_certificate_has_to_be_the_hosts(guarded: Guarded) -> None:
    url = guarded.urls()["a name that is not in the certificate"]

    with pytest.raises(MailboxError, match="certificate verify failed"):
        folders(url, Access(user=MASTER, password=PASSWORD, ca_file=guarded.ca_file))


@pytest.mark.skipif(DOVECOT is None, reason=MISSING)
def test_a_server_that_takes_no_password_without_tls_gets_none(guarded: Guarded) -> None:
    with pytest.raises(MailboxError, match="takes no password without TLS") as caught:
        folders(guarded.plain(), Access(user=MASTER, password=PASSWORD))

    assert caught.value.cause is Cause.CREDENTIALS


def test_a_server_without_starttls_gets_no_password() -> None:
    with scripted({}) as script:
        with pytest.raises(MailboxError, match="offers no STARTTLS") as caught:
            folders(f"imap://127.0.0.1:{script.port}?starttls=yes", Access(user=MASTER, password=PASSWORD))

        assert caught.value.cause is Cause.CREDENTIALS
        assert script.heard == []


def test_a_server_that_refuses_starttls_gets_no_password() -> None:
    greeting = "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready"
    with scripted({"STARTTLS": "{tag} NO not now"}, greeting) as script:
        with pytest.raises(MailboxError) as caught:
            folders(f"imap://127.0.0.1:{script.port}?starttls=yes", Access(user=MASTER, password=PASSWORD))

        assert caught.value.cause.retryable
        assert script.heard == ["STARTTLS"]


def test_a_socket_that_speaks_no_tls_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailboxError) as caught:
        folders(f"imaps://127.0.0.1:{port_of(silent)}?timeout=1", Access(user=MASTER, password=PASSWORD))

    assert caught.value.cause is Cause.UNREACHABLE
