"""What the words of `sim:N?option=value&...` and `sim:PATH?...` mean: a URL becomes frozen, checked values.

The fields of SimulatedOptions are the table of the options: name, default, grammar and meaning stand in one
place, and what prints them to a user reads the same table as what parses them. Knows no server and no mailbox.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable  # noqa: TC003 - the table of options is read at run time
from dataclasses import dataclass, fields
from enum import StrEnum
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, get_origin, get_type_hints
from urllib.parse import unquote

from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

SCHEME = "sim:"

#: Mailboxes of a generated server: their names have eight digits, and this much is what is promised.
MAX_MAILBOXES = 10_000_000

#: The logon indexes that a client can issue are 0 to 254 (`workers.mapi.logons.MAX_LOGONS`); one must be left.
_INDEXES = range(255)

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class Overflow(StrEnum):
    """What is answered when a reply has no room for the next ROP."""

    #: RopBufferTooSmall (0xFF) ends the replies and hands back what was not executed ([MS-OXCROPS] 3.2.4.3).
    SPEC = "spec"
    #: The whole Execute fails with 0x47D, although everything up to the overflow was executed: as recorded.
    RECORDED = "recorded"


class Account(StrEnum):
    """What a connect is answered."""

    ACCEPTED = "accepted"
    #: MAPI_E_LOGON_FAILED, as for a wrong password.
    REFUSED = "refused"


class Denial(StrEnum):
    """How a mailbox shows that the account may not read it."""

    #: RopLogon answers AccessDenied ([MS-OXCSTOR] 3.2.5.1.3).
    LOGON = "logon"
    #: The logon succeeds without the owner bit, then every folder is NotFound: as recorded.
    FOLDERS = "folders"


class Fault(StrEnum):
    """What can be wrong with a mailbox; the option of the same name says with which."""

    MISSING = "missing"
    DENIED = "denied"
    SLOW = "slow"
    HANG = "hang"
    BUSY = "busy"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Delay:
    """How long something takes: always the median, or lognormal around it where `sigma` is not 0."""

    median: float  # seconds
    sigma: float = 0.0  # of the logarithm

    def draw(self, random: Random) -> float:
        """One duration in seconds."""
        if not self.sigma or not self.median:
            return self.median
        return random.lognormvariate(log(self.median), self.sigma)

    @property
    def mean(self) -> float:
        """What it comes to on average, in seconds."""
        return self.median * exp(self.sigma**2 / 2)


@dataclass(frozen=True, slots=True)
class Share:
    """Some mailboxes: a fraction of all, or these by name."""

    fraction: float = 0.0
    names: frozenset[str] = frozenset()  # casefolded

    def __bool__(self) -> bool:
        return bool(self.fraction or self.names)


class OptionHelp(NamedTuple):
    """One line of the table of options."""

    name: str
    form: str
    default: str
    meaning: str


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,20}", text) or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest:,} to {highest:,}")
        return int(text)

    return parse


def _ceiling(text: str) -> int | None:
    if text == "unlimited":
        return None
    try:
        return _whole(1, 1_000_000)(text)
    except ValueError as error:
        raise ValueError(f"{error}, or 'unlimited'") from None


def _seconds(text: str) -> float:
    if text == "0":
        return 0.0
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(us|ms|s)", text)
    if found is None:
        raise ValueError("a duration, 2ms, 0.5s or 150us, or lognormal(2ms,1.5) with median and sigma")
    return float(found[1]) * _UNITS[found[2]]


def delay(text: str) -> Delay:
    """`2ms`, `0.5s`, `lognormal(2ms,1.5)`. Raises ValueError with what is allowed."""
    found = re.fullmatch(r"lognormal\(\s*([^,\s]+)\s*,\s*([0-9]{1,2}(?:\.[0-9]{1,9})?)\s*\)", text)
    return Delay(_seconds(found[1]), float(found[2])) if found else Delay(_seconds(text))


def _indexes(text: str) -> frozenset[int]:
    """A count takes the lowest indexes; numbers joined by `|` are the indexes themselves, as in `7|`."""
    try:
        if "|" not in text:
            return frozenset(range(_whole(0, len(_INDEXES) - 1)(text)))
        return frozenset(map(_whole(0, _INDEXES[-1]), filter(None, text.split("|"))))
    except ValueError:
        raise ValueError("a count from 0 to 254, or indexes from 0 to 254 as in 0|7|254") from None


_SHARE_FORM = "a fraction from 0 to 1 (0.01 or 1%), or mailboxes as in a@x.example,b@x.example"


def _share(text: str) -> Share:
    found = re.fullmatch(r"([0-9]{0,9}\.?[0-9]{0,9})(%?)", text)
    if found is None and (re.match(r"[-+.0-9]", text) is None or "@" in text):
        names = frozenset(filter(None, (unquote(name).casefold() for name in text.split(","))))
        if names:
            return Share(names=names)
    if found is None:
        raise ValueError(_SHARE_FORM)
    fraction = float(found[1]) / (100 if found[2] else 1) if found[1].strip(".") else 2.0
    if fraction > 1:
        raise ValueError(_SHARE_FORM)
    return Share(fraction=fraction)


def _word_of(words: type[StrEnum]) -> Callable[[str], StrEnum]:
    def parse(text: str) -> StrEnum:
        try:
            return words(text)
        except ValueError:
            raise ValueError(" or ".join(words)) from None

    return parse


class Option(NamedTuple):
    """What a field of SimulatedOptions carries beside its type: how it is written, and what it does."""

    parse: Callable[[str], object]  # raises ValueError with what is allowed
    form: str
    meaning: str


_NO_DELAY = Delay(0.0)
_NOBODY = Share()
_SOME = "FRACTION or NAME,NAME,..."


@dataclass(frozen=True, slots=True)
class SimulatedOptions:
    """A simulated server, in values. Each field but the first is the option of its name."""

    #: How many generated mailboxes, or the directory that holds a directory for each.
    source: int | Path

    seed: Annotated[
        int,
        Option(
            _whole(0, 2**64 - 1),
            "N",
            "generated mail and the choice of faulty mailboxes follow from it",
        ),
    ] = 0
    folders: Annotated[int, Option(_whole(1, 10_000), "N", "folders of a generated mailbox that hold mail")] = 10
    messages: Annotated[int, Option(_whole(0, 1_000_000), "N", "messages of a generated mailbox, on average")] = 200
    latency: Annotated[
        Delay,
        Option(delay, "TIME", "a round trip: 2ms, 0.5s, or lognormal(2ms,1.5) by median and sigma"),
    ] = _NO_DELAY
    connect: Annotated[Delay, Option(delay, "TIME", "what making a connection costs, beside its round trip")] = (
        _NO_DELAY
    )
    reserved: Annotated[
        frozenset[int],
        Option(_indexes, "N or I|I|...", "logon indexes never issued: the lowest N, or these"),
    ] = frozenset()
    sessions: Annotated[
        int | None,
        Option(_ceiling, "N", "session contexts of one account at a time; MAPI_E_SESSION_LIMIT beyond"),
    ] = None
    objects: Annotated[
        int | None,
        Option(_ceiling, "N", "folders, tables, messages and streams open in a session; 0x4DE beyond"),
    ] = None
    backoff: Annotated[
        int,
        Option(_whole(0, 1000), "N", "logons of a busy mailbox that are answered with server busy"),
    ] = 1
    overflow: Annotated[
        Overflow,
        Option(
            _word_of(Overflow),
            "spec|recorded",
            "no room in a reply: RopBufferTooSmall, or 0x47D for the whole call",
        ),
    ] = Overflow.SPEC
    account: Annotated[
        Account,
        Option(_word_of(Account), "accepted|refused", "whether a connect succeeds; MAPI_E_LOGON_FAILED if not"),
    ] = Account.ACCEPTED
    deny: Annotated[
        Denial,
        Option(
            _word_of(Denial),
            "logon|folders",
            "of a denied mailbox the logon is refused, or no folder is found",
        ),
    ] = Denial.LOGON
    missing: Annotated[Share, Option(_share, _SOME, "listed, but unknown to the server at logon")] = _NOBODY
    denied: Annotated[Share, Option(_share, _SOME, "there, but not for this account (see deny)")] = _NOBODY
    slow: Annotated[
        Share,
        Option(_share, _SOME, "each round trip takes 20 times the latency, and 100ms at least"),
    ] = _NOBODY
    hang: Annotated[Share, Option(_share, _SOME, "the logon never returns")] = _NOBODY
    busy: Annotated[Share, Option(_share, _SOME, "the first logons are refused for now (see backoff)")] = _NOBODY
    drop: Annotated[
        Share,
        Option(
            _share, _SOME, "the connection is cut once, in the first attempt, at the first round trip after the logon"
        ),
    ] = _NOBODY

    @property
    def faults(self) -> dict[Fault, Share]:
        """The faults that any mailbox has."""
        shares = {fault: getattr(self, fault.value) for fault in Fault}
        return {fault: share for fault, share in shares.items() if share}


_OPTIONS: dict[str, Option] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(SimulatedOptions, include_extras=True).items()
    if get_origin(hint) is Annotated
}
_GENERATED = ("folders", "messages")
_DEFAULTS = {field.name: field.default for field in fields(SimulatedOptions)}


def option_table() -> list[OptionHelp]:
    """Every option, in the order in which it is worth reading."""
    return [
        OptionHelp(name, option.form, _written(_DEFAULTS[name]), option.meaning) for name, option in _OPTIONS.items()
    ]


def _written(default: object) -> str:
    match default:
        case None:
            return "unlimited"
        case Delay():
            return f"{default.median:g}"
        case Share() | frozenset():
            return "none"
        case _:
            return str(default)


def parse_options(url: str) -> SimulatedOptions:
    """The options of a `sim:` URL. Raises ServerUrlError; whether a directory is there is found out later."""
    if not url.startswith(SCHEME):
        raise ServerUrlError(f"{url!r} does not begin with {SCHEME!r}")
    source, _, query = url.removeprefix(SCHEME).partition("?")
    given: dict[str, object] = {}
    for pair in filter(None, query.split("&")):
        name, _, text = pair.partition("=")
        if name in given:
            raise ServerUrlError(f"{name}: given twice")
        given[name] = _value(name, text)
    if isinstance(_source(source), Path):
        _refuse_what_is_for_generated_mail(given)
    return SimulatedOptions(_source(source), **given)  # type: ignore[arg-type]  # each parsed by its own field


def _refuse_what_is_for_generated_mail(given: Iterable[str]) -> None:
    for name in _GENERATED:
        if name in given:
            raise ServerUrlError(f"{name}: only for generated mailboxes (sim:2000); mail from a directory is as it is")


def _source(text: str) -> int | Path:
    if not text:
        raise ServerUrlError("sim: needs a number of mailboxes (sim:2000) or a directory of them (sim:PATH)")
    if not re.fullmatch("[0-9]+", text):
        return Path(os.path.expanduser(text))  # unlike Path.expanduser it leaves an unknown ~user alone
    if len(text) > 20 or not 1 <= int(text) <= MAX_MAILBOXES:
        raise ServerUrlError(
            f"sim:{text}: from 1 to {MAX_MAILBOXES:,} mailboxes (a directory of this name is sim:./{text})"
        )
    return int(text)


def _value(name: str, text: str) -> object:
    if name not in _OPTIONS:
        raise ServerUrlError(f"{name}: sim: has no such option; it has {', '.join(sorted(_OPTIONS))}")
    if not text:
        raise ServerUrlError(f"{name}: needs a value, {name}={_OPTIONS[name].form}")
    try:
        return _OPTIONS[name].parse(text)
    except ValueError as error:
        raise ServerUrlError(f"{name}={text}: allowed is {error}") from None
