"""What a `mapi+https:` URL means: where requests are posted, as whom, and how the line is trusted."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from workers.mapi.http.authentication import METHODS, Account
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from workers.access import Access

#: The path of the mailbox endpoint unless the URL says otherwise, and how the address book's follows from it.
PATH = "/mapi/emsmdb/"
_STORE, _BOOK = "emsmdb", "nspi"

#: Where Autodiscover answers, on the same host.
AUTODISCOVER = "/autodiscover/autodiscover.xml"

#: Seconds between two bytes of an answer: a server that is at work says so every 30 (X-PendingPeriod).
TIMEOUT = 60.0

#: Who tells the DNs of names.
NAMES = ("nspi", "autodiscover")

#: What a URL may say behind its question mark.
_OPTIONS = ("MailboxId", "admin", "auth", "compress", "names", "timeout", "user_dn")


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
    #: Seconds.
    timeout: float = TIMEOUT
    #: The DN of the account, where nobody is to be asked for it.
    user_dn: str = ""
    #: Whether requests are compressed and obfuscated, and answers may be.
    compress: bool = False
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
        context = ssl.create_default_context(cafile=self.access.ca_file or None)
        if not self.access.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def endpoint_of(url: str, access: Access) -> Endpoint:
    """The endpoint that a URL names. Raises ServerUrlError."""
    parts = urlsplit(url.removeprefix("mapi+"))
    if not parts.hostname:
        raise ServerUrlError(f"{url!r}: it names no host, as in mapi+https://mail.example.com")
    if parts.password or parts.username:
        raise ServerUrlError("a URL is no place for an account: give --user, and the password as it says there")
    options = _options(url, parts)
    _check_access(url, parts, access)
    _check_ca_file(access.ca_file)
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
        host=parts.hostname,
        access=access,
        auth=_one_of(options, "auth", METHODS),
        names=_one_of(options, "names", NAMES) or NAMES[0],
        timeout=_seconds(options.get("timeout")),
        user_dn=options.get("user_dn", ""),
        compress=_one_of(options, "compress", ("yes", "no")) == "yes",
        admin=_one_of(options, "admin", ("yes", "no")) == "yes",
    )


def _options(url: str, parts: SplitResult) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ServerUrlError(f"{url!r}: there is no option {name!r}; there are {', '.join(_OPTIONS)}")
        if name in options or not value:
            raise ServerUrlError(f"{url!r}: {name} is to be given once, with a value")
        options[name] = value
    return options


def _one_of(options: dict[str, str], name: str, allowed: tuple[str, ...]) -> str | None:
    value = options.get(name)
    if value is not None and value not in allowed:
        raise ServerUrlError(f"{name}={value}: allowed is one of {', '.join(allowed)}")
    return value


def _seconds(text: str | None) -> float:
    if text is None:
        return TIMEOUT
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 3600:
        raise ServerUrlError(f"timeout={text}: allowed are seconds from 1 to 3600")
    return seconds


def _check_access(url: str, parts: SplitResult, access: Access) -> None:
    if not access.user:
        raise ServerUrlError(f"{url!r}: it takes an account that may open the mailboxes: --user NAME")
    if parts.scheme == "http" and not access.plaintext and not is_loopback(parts.hostname or ""):
        raise ServerUrlError(
            f"{url!r}: without TLS the password would cross the network for all to read; mapi+https:, or --plaintext"
        )


def _check_ca_file(path: str) -> None:
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:  # an SSLError, too
            raise ServerUrlError(f"--ca-file {path}: no certificates can be read there: {error}") from error


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
