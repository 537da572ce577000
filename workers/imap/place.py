"""What an `imaps:` URL means: where to connect, as whom to log on to whose mailbox, and how the line is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from workers.imap.tokens import Tokens
from workers.urls import TIMEOUT, ServerUrlError, host_of, is_loopback, options_of, timeout_of

if TYPE_CHECKING:
    import ssl

    from workers.access import Access

PORTS = {"imap": 143, "imaps": 993}

#: The name that logs on: Dovecot's form of a master user's.
LOGIN = "{owner}*{user}"

_OPTIONS = {"authzid": ("yes", "no"), "login": (), "starttls": ("yes", "no"), "timeout": ()}


@dataclass(frozen=True)
class Place:
    """A server, and how one logs on there."""

    host: str
    port: int
    access: Access
    #: Whether TLS comes first, or is asked for by STARTTLS; neither on loopback.
    tls: bool
    starttls: bool
    #: The name that logs on; `{owner}` is the mailbox's, `{user}` the account's.
    login: str = LOGIN
    #: Whether the account logs on by its own name, for the mailbox as authorization id (SASL PLAIN, RFC 4616).
    authzid: bool = False
    #: Seconds.
    timeout: float = TIMEOUT

    def name_for(self, owner: str) -> str:
        """Who logs on to open the mailbox of `owner`."""
        return self.login.replace("{owner}", owner).replace("{user}", self.access.user)

    @cached_property
    def trusted(self) -> ssl.SSLContext:
        """Made once, and only where it is wanted: reading the system's certificates takes longer than a session."""
        return self.access.trusted()

    @cached_property
    def tokens(self) -> Tokens:
        """Those of all connections to it."""
        return Tokens(self.access)


def place_of(url: str, access: Access) -> Place:
    """The place that a URL names. Raises ServerUrlError."""
    parts = host_of(url, "imaps://mail.example.com")
    options = options_of(parts, _OPTIONS)
    if parts.path.strip("/"):
        raise ServerUrlError(f"{url!r}: nothing is to be said behind the host but ?option=value")
    if not access.user:
        raise ServerUrlError(
            f"{url!r}: it takes an account that may open the mailboxes, a master user, say: --user NAME"
        )
    tls, host = parts.scheme == "imaps", parts.hostname or ""
    place = Place(
        host=host,
        port=parts.port or PORTS[parts.scheme],
        access=access,
        tls=tls,
        starttls=not tls and _starttls(host, access, options.get("starttls")),
        login=_login(options),
        authzid=options.get("authzid") == "yes",
        timeout=timeout_of(options),
    )
    if place.tls or place.starttls or access.ca_file:
        _ = place.trusted  # a mistake is said now
    return place


def _login(options: dict[str, str]) -> str:
    by_authzid = options.get("authzid") == "yes"
    login = options.get("login", "{user}" if by_authzid else LOGIN)
    if "{owner}" not in login and not by_authzid:
        raise ServerUrlError(
            f"login={login}: without {{owner}} every mailbox would be the same one; authzid=yes names it in another way"
        )
    return login


def _starttls(host: str, access: Access, asked: str | None) -> bool:
    """Whether TLS is asked for. A password crosses a network without it only when that was said by name."""
    private = access.plaintext or is_loopback(host)
    if asked == "no" and not private:
        raise ServerUrlError("starttls=no: the password would cross the network for all to read; or --plaintext")
    return asked == "yes" or not (asked or private)
