"""What a `mapi+https:` URL means: where requests are posted, as whom, and how the line is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

from workers.mapi.http.authentication import METHODS, Account
from workers.urls import TIMEOUT, ServerUrlError, host_of, is_loopback, options_of, timeout_of

if TYPE_CHECKING:
    import ssl
    from urllib.parse import SplitResult

    from workers.access import Access

#: The path of the mailbox endpoint unless the URL says otherwise, and how the address book's follows from it.
PATH = "/mapi/emsmdb/"
_STORE, _BOOK = "emsmdb", "nspi"

#: Where Autodiscover answers, on the same host.
AUTODISCOVER = "/autodiscover/autodiscover.xml"

#: Who tells the DNs of names.
NAMES = ("nspi", "autodiscover")

#: Mailboxes that are opened together, unless the URL says otherwise, and at the most: their folders are to fit into one reply
#: of 32 KB, at 2 to 3 KB a mailbox, and their handles into a table of 255.
PREFETCH, MOST_PREFETCHED = 8, 32

#: What a URL may say behind its question mark.
_OPTIONS = {
    "MailboxId": (),
    "admin": ("yes", "no"),
    "auth": METHODS,
    "compress": ("yes", "no"),
    "names": NAMES,
    "prefetch": (),
    "timeout": (),
    "user_dn": (),
}


@dataclass(frozen=True)
class Endpoint:
    """A server, and how it is spoken to."""

    url: str
    emsmdb: str
    nspi: str
    autodiscover: str
    host: str
    access: Access
    #: One of METHODS; None for the best that the server offers.
    auth: str | None = None
    names: str = NAMES[0]
    #: Seconds between two bytes of an answer; a server that is at work says so every 30 (X-PendingPeriod).
    timeout: float = TIMEOUT
    #: The DN of the account, where nobody is to be asked for it.
    user_dn: str = ""
    #: Whether requests are compressed and obfuscated, and answers may be.
    compress: bool = False
    #: Mailboxes of a chunk that are opened, and listed, together.
    prefetch: int = PREFETCH
    #: Whether mailboxes are opened as an administrator's (OPENSTORE_USE_ADMIN_PRIVILEGE).
    admin: bool = False

    @cached_property
    def account(self) -> Account:
        """Who answers when the server asks who it is."""
        return Account(self.access, self.auth)

    def client(self) -> httpx.Client:
        """One connection, to be closed by the caller. What the environment says of proxies and netrc does not count."""
        return httpx.Client(
            verify=self._trusted,
            auth=self.account,
            timeout=self.timeout,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None),
            trust_env=False,
        )

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """Made once: reading the system's certificates takes longer than a request."""
        return self.access.trusted()


def endpoint_of(url: str, access: Access) -> Endpoint:
    """The endpoint that a URL names. Raises ServerUrlError."""
    parts = host_of(url, "mapi+https://mail.example.com")
    parts = parts._replace(scheme=parts.scheme.removeprefix("mapi+"))
    options = options_of(parts, _OPTIONS)
    _check_access(url, parts, access)
    access.trusted()
    path = parts.path.rstrip("/") + "/" if parts.path.strip("/") else PATH
    if f"/{_STORE}/" not in path:
        raise ServerUrlError(f"{url!r}: the path of a mailbox endpoint ends with /{_STORE}, as in {PATH}")
    site = f"{parts.scheme}://{parts.netloc}"
    mailbox_id = f"?MailboxId={quote(options.get('MailboxId', access.user), safe='@')}"
    return Endpoint(
        url=url,
        emsmdb=f"{site}{path}{mailbox_id}",
        nspi=f"{site}{path.replace(_STORE, _BOOK)}{mailbox_id}",
        autodiscover=f"{site}{AUTODISCOVER}",
        host=parts.hostname or "",
        access=access,
        auth=options.get("auth"),
        names=options.get("names", NAMES[0]),
        timeout=timeout_of(options),
        user_dn=options.get("user_dn", ""),
        compress=options.get("compress") == "yes",
        prefetch=_prefetch(options.get("prefetch")),
        admin=options.get("admin") == "yes",
    )


def _prefetch(text: str | None) -> int:
    if text is None:
        return PREFETCH
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PREFETCHED:
        raise ServerUrlError(f"prefetch={text}: allowed are 1 to {MOST_PREFETCHED} mailboxes")
    return int(text)


def _check_access(url: str, parts: SplitResult, access: Access) -> None:
    if not access.user:
        raise ServerUrlError(f"{url!r}: it takes an account that may open the mailboxes: --user NAME")
    if parts.scheme == "http" and not access.plaintext and not is_loopback(parts.hostname or ""):
        raise ServerUrlError(
            f"{url!r}: without TLS the password would cross the network for all to read; mapi+https:, or --plaintext"
        )
