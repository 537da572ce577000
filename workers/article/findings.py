"""What an experiment finds: what was tried, what came back, what was measured, and whether it is as the article says."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from workers.mapi.hresults import ErrorCode, HResult, MapiError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """What one call came back with."""

    call: str
    #: The HRESULT, as 0x and eight digits, and its name in MAPICode.h.
    code: str
    name: str
    #: The low-level error below it, under its name; None where there was none.
    low_level: str | None = None


class Figure(msgspec.Struct, frozen=True):
    """Something that was counted or measured."""

    what: str
    value: float
    unit: str = ""


class Finding(msgspec.Struct, frozen=True):
    """One statement, tried."""

    statement: str
    #: What the article says, in our words.
    says: str
    tried: str
    answers: list[Answer]
    figures: list[Figure]
    #: Whether it is as the article says; None where it could not be tried.
    holds: bool | None
    #: Why it does not hold, or could not be tried; empty where it holds.
    why: str = ""


class Notes:
    """What an experiment writes down while it goes on."""

    def __init__(self, tried: str) -> None:
        self.tried = tried
        self.answers: list[Answer] = []
        self.figures: list[Figure] = []
        #: What was not as it should be.
        self.wrong: list[str] = []

    def call(self, what: str, call: Callable[[], T]) -> T | None:
        """Make a call and note its answer; None where it failed."""
        try:
            result = call()
        except MapiError as error:
            self.answers.append(_answer(what, error))
            return None
        self.answers.append(Answer(what, f"0x{HResult.S_OK:08X}", HResult.S_OK.name))
        return result

    def figure(self, what: str, value: float, unit: str = "") -> None:
        self.figures.append(Figure(what, value, unit))

    def expect(self, *, that: bool, otherwise: str) -> None:
        """Note what is wrong unless it is as it should be."""
        if not that:
            self.wrong.append(otherwise)

    def expect_answer(self, name: str, low_level: str | None = None) -> None:
        """The last call must have come back with this."""
        last = self.answers[-1]
        self.expect(that=last.name == name, otherwise=f"{last.call} answered {last.name}, not {name}")
        if low_level is not None:
            self.expect(
                that=last.low_level == low_level, otherwise=f"below {last.name} is {last.low_level}, not {low_level}"
            )

    def finding(self, statement: str, says: str) -> Finding:
        return Finding(
            statement, says, self.tried, self.answers, self.figures, holds=not self.wrong, why="; ".join(self.wrong)
        )


def _answer(what: str, error: MapiError) -> Answer:
    low_level = None
    if error.low_level_error:
        low_level = f"0x{error.low_level_error:X}"
        with suppress(ValueError):
            low_level = ErrorCode(error.low_level_error).name
    return Answer(what, f"0x{error.hresult:08X}", HResult(error.hresult).name, low_level)
