"""A bearer token on a real server that looks at it: at its signature, and at whom it was made out to."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator

import pytest

import fanout
from tests.imap.dovecot import DOVECOT, MASTER, MISSING, Dovecot, room, running
from tests.imap.mail import address, make
from workers.access import Access
from workers.causes import Cause, MailboxError
from workers.imap.place import place_of
from workers.imap.session import ImapSession
from workers.slots import private_slot

pytestmark = pytest.mark.skipif(DOVECOT is None, reason=MISSING)

KEY = b"the key of this server alone"

#: Far beyond the time of any test, and long before it.
NEVER, LONG_AGO = 4_000_000_000, 1_000_000_000

_CONFIGURATION = """
auth_mechanisms = plain {mechanism}
passdb {{
  driver = oauth2
  mechanisms = {mechanism}
  args = {folder}/oauth2
  master = yes
  result_success = continue
}}
passdb {{
  driver = oauth2
  mechanisms = {mechanism}
  args = {folder}/oauth2
}}
"""


_LOOKED_AT = (
    "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={folder}/keys/\nusername_attribute = sub\n"
)


@pytest.fixture(scope="module", params=["oauthbearer", "xoauth2"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Dovecot, dict[str, dict[str, int]]]]:
    with room() as folder:
        expected = make(folder / "homes", 2)
        keys = folder / "keys" / "default" / "HS256"
        keys.mkdir(parents=True)
        (keys / "default").write_bytes(base64.b64encode(KEY))
        (folder / "oauth2").write_text(_LOOKED_AT.format(folder=folder))
        with running(folder, list(expected), _CONFIGURATION.format(folder=folder, mechanism=request.param)) as server:
            yield server, expected


def token(user: str, key: bytes = KEY, expires: int = NEVER) -> str:
    """A token that says who one is, signed (RFC 7519)."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": user, "iat": 0, "exp": expires})
    signed = b".".join(_in_base64(json.dumps(part).encode()) for part in parts)
    return (signed + b"." + _in_base64(hmac.digest(key, signed, "sha256"))).decode()


def _in_base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def who(user: str, bearer: str) -> Access:
    return Access(user=user, token_command=f"echo {bearer}")


def opened(server: Dovecot, access: Access, words: str = "") -> int:
    with ImapSession(place_of(f"{server.url}{words}", access), private_slot()).open(address(0)) as mailbox:
        return len(mailbox.folders())


def test_a_token_opens_the_mailbox_of_its_owner_and_a_master_users_every_one(served: tuple[Dovecot, object]) -> None:
    server, _ = served

    assert opened(server, who(address(0), token(address(0))), "?login={owner}") == 5
    assert opened(server, who(MASTER, token(MASTER))) == 5


@pytest.mark.parametrize(
    "bearer",
    [token(MASTER, b"another key"), token(MASTER, expires=LONG_AGO), token(address(1)), "nonsense"],
    ids=["forged", "expired", "made out to another", "no token"],
)
def test_a_token_that_is_not_good_is_the_accounts(served: tuple[Dovecot, object], bearer: str) -> None:
    with pytest.raises(MailboxError) as caught:
        opened(served[0], who(MASTER, bearer))

    assert caught.value.cause is Cause.CREDENTIALS
    assert "AUTHENTICATIONFAILED" in str(caught.value)
    assert bearer not in str(caught.value)


@pytest.mark.spawns
def test_a_run_by_a_token(served: tuple[Dovecot, dict[str, dict[str, int]]]) -> None:
    server, expected = served
    found = fanout.run(
        "census", server=server.url, mailboxes=list(expected), workers=2, access=who(MASTER, token(MASTER))
    )

    assert {outcome.mailbox: outcome.result for outcome in found} == expected
