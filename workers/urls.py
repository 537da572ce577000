"""URLs of servers: the error for one that can't be meant, and what the schemes of real servers have in common."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from urllib.parse import SplitResult

#: Seconds that a server may take for an answer, unless the URL says otherwise: less than a run lets a mailbox stall.
TIMEOUT = 60.0


class ServerUrlError(ValueError):
    """A server's URL that cannot be meant as it stands: the message names what is wrong, and what is allowed."""


def host_of(url: str, example: str) -> SplitResult:
    """The parts of a URL that names a host, and no account. Raises ServerUrlError."""
    parts = urlsplit(url)
    try:
        named = parts.hostname and parts.port != 0
    except ValueError as error:
        raise ServerUrlError(f"{url!r}: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise ServerUrlError("a URL is no place for an account: give --user, and the password as it says there")
    if not named:
        raise ServerUrlError(f"{url!r}: it names no host, as in {example}")
    return parts


def address_of(url: str, ports: Mapping[str, int], path: str = "") -> tuple[str, str | None, int, str, str]:
    """What two spellings of a URL have in common. `ports`: of each scheme where none is named; `path`: likewise.

    Raises ServerUrlError.
    """
    parts = host_of(url, f"{next(iter(ports))}://mail.example.com")
    return parts.scheme, parts.hostname, parts.port or ports[parts.scheme], parts.path.rstrip("/") or path, parts.query


def options_of(parts: SplitResult, allowed: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The options behind the question mark. `allowed`: their names, each with its values, or none for any text.

    Raises ServerUrlError.
    """
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in allowed:
            raise ServerUrlError(f"{parts.geturl()!r}: there is no option {name!r}; there are {', '.join(allowed)}")
        if name in options or not value:
            raise ServerUrlError(f"{parts.geturl()!r}: {name} is to be given once, with a value")
        if allowed[name] and value not in allowed[name]:
            raise ServerUrlError(f"{name}={value}: allowed is {' or '.join(allowed[name])}")
        options[name] = value
    return options


def timeout_of(options: Mapping[str, str]) -> float:
    """The option `timeout`, in seconds. Raises ServerUrlError."""
    text = options.get("timeout")
    if text is None:
        return TIMEOUT
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 3600:
        raise ServerUrlError(f"timeout={text}: allowed are seconds from 1 to 3600")
    return seconds


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
