"""The options of a job: what its signature says of them, and the values that are meant by what is given.

A value has three forms: the text of a command line; the plain value, which JSON can say and which crosses the pipe; the
real one, which the job is called with: a date, a Path, a member of an Enum. An annotation is read as text, so that it
says the same whether the function is at hand or nothing but its source.

    def job(mailbox, *, above: Size = 0, since: date | None = None, form: Literal["eml", "mbox"] = "eml"): ...
"""

from __future__ import annotations

import ast
import inspect
import re
from datetime import date, datetime
from difflib import get_close_matches
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: A number of bytes. As an option it may be written as `10M`.
Size: TypeAlias = int

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", re.ASCII | re.IGNORECASE)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class OptionError(ValueError):
    """An option that can't be meant: says which, what is wrong, and what would be right."""


def _itself(value: Any) -> Any:  # noqa: ANN401 - of any kind
    return value


class Kind(NamedTuple):
    """What kind of value an option takes."""

    #: For people: `a whole number`.
    words: str
    #: The plain value of a text, or of what Python code gives. Raises ValueError, TypeError for what is none.
    plain: Callable[[Any], object] = _itself
    #: The real value of a plain one.
    real: Callable[[Any], object] = _itself
    #: How a default of this kind is shown.
    shown: Callable[[Any], str] = str
    #: Whether it is given as often as one likes.
    many: bool = False


class Option(NamedTuple):
    """One option."""

    name: str
    #: None where nothing is known of it: then a text means what it looks like.
    kind: Kind | None
    #: As people read it; None for an option that has to be given.
    default: str | None


class Options(NamedTuple):
    """All options of a job."""

    job: str
    known: dict[str, Option]
    #: Whether it takes others, too: `**options`.
    others: bool = False

    def of_texts(self, given: Mapping[str, list[str]]) -> dict[str, object]:
        """The plain values of texts, of which an option has several where it was repeated. Raises OptionError."""
        values: dict[str, object] = {}
        for name, texts in given.items():
            kind = self._kind(name, texts[-1])
            many = kind is not None and kind.many
            if len(texts) > 1 and not many:
                raise OptionError(
                    f"{name}={texts[-1]}: {name} is given {len(texts)} times, and {self.job} takes it once"
                )
            values[name] = texts if many else looks_like(texts[0]) if kind is None else texts[0]
        return self.plain(values)

    def plain(self, given: Mapping[str, object]) -> dict[str, object]:
        """The plain values of what is given, all of it and nothing missing. Raises OptionError."""
        missing = [each for each in self.known.values() if each.default is None and each.name not in given]
        values = {name: _taken(name, value, self._kind(name, value)) for name, value in given.items()}
        if missing:
            raise OptionError(f"{missing[0].name}=...: {self.job} can't do without it{_what(missing[0].kind)}")
        return values

    def real(self, given: Mapping[str, object]) -> dict[str, object]:
        """The values to call the job with. Raises OptionError."""
        return {name: _real(value, self._kind(name, value)) for name, value in self.plain(given).items()}

    def _kind(self, name: str, value: object) -> Kind | None:
        if name in self.known:
            return self.known[name].kind
        if self.others:
            return None
        meant = get_close_matches(name, self.known, 1)
        question = f"; did you mean {meant[0]}?" if meant else ""
        raise OptionError(
            f"{name}={value}: {self.job} has no option {name!r}; it has {', '.join(self.known) or 'none'}{question}"
        )


def _taken(name: str, value: object, kind: Kind | None) -> object:
    if kind is None:
        return value
    try:
        return kind.plain(value)
    except (ValueError, TypeError, KeyError):
        raise OptionError(f"{name}={value}: {value!r} is not {kind.words}") from None


def _real(value: object, kind: Kind | None) -> object:
    return kind.real(value) if kind else value


def _what(kind: Kind | None) -> str:
    return f": {kind.words}" if kind else ""


def looks_like(text: str) -> object:
    """What a text seems to mean where no annotation tells: a number, a truth, or itself."""
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


# --- kinds ------------------------------------------------------------------------------------------------------------


def _whole(value: object) -> int:
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise TypeError
    return int(value)


def _number(value: float | str) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _truth(value: bool | str) -> bool:  # noqa: FBT001 - it is the value
    return value if isinstance(value, bool) else _TRUTHS[_text(value).lower()]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def size(value: int | str) -> int:
    """Bytes: a number, or `10M`. Raises ValueError."""
    if not isinstance(value, str):
        return _whole(value)
    found = _SIZE.fullmatch(value)
    if not found:
        raise ValueError(value)
    return int(float(found[1]) * _UNITS[found[2].upper()])


def size_in_words(number: int) -> str:
    """`10M` rather than 10485760."""
    unit = next((unit for unit, each in reversed(_UNITS.items()) if number and number % each == 0), "")
    return f"{number // _UNITS[unit]}{unit}"


def _day(value: date | str) -> str:
    return date.fromisoformat(value).isoformat() if isinstance(value, str) else value.isoformat()


def _moment(value: datetime | str) -> str:
    return datetime.fromisoformat(value).isoformat() if isinstance(value, str) else value.isoformat()


def _path(value: Path | str) -> str:
    if not str(value):
        raise ValueError
    return str(value) if isinstance(value, Path) else _text(value)


#: Kinds by the last name of an annotation.
_NAMED = {
    "int": Kind("a whole number", _whole),
    "float": Kind("a number", _number),
    "bool": Kind("true or false", _truth, shown=lambda value: str(value).lower()),
    "str": Kind("text", _text),
    "Size": Kind("a size, as in 1000, 512K or 10M", size, shown=size_in_words),
    "date": Kind("a date, as in 2026-01-31", _day, date.fromisoformat),
    "datetime": Kind("a moment, as in 2026-01-31T09:00", _moment, datetime.fromisoformat),
    "Path": Kind("a path", _path, Path),
}


def _choice(values: list[Any]) -> Kind:
    """One of some values, which are told apart by their texts."""
    by_text = {str(value): value for value in values}
    return Kind(f"one of {', '.join(by_text)}", lambda value: by_text[str(value)])


def _member(members: type[Enum]) -> Kind:
    """A member of an Enum, by its name or its value. What crosses the pipe is the name."""
    by_text = {str(member.value): name for name, member in members.__members__.items()}
    by_text |= {name: name for name in members.__members__} | {str(each): each.name for each in members}
    return Kind(
        f"one of {', '.join(members.__members__)}",
        lambda value: by_text[str(value)],
        lambda name: members[name],
        lambda value: value.name if isinstance(value, Enum) else str(value),
    )


def _list_of(kind: Kind | None) -> Kind:
    one = kind or Kind("value")

    def plain(values: list[Any]) -> list[object]:
        if not isinstance(values, list | tuple):
            raise TypeError
        return [one.plain(value) for value in values]

    return Kind(
        f"{one.words}; may be repeated",
        plain,
        lambda values: [one.real(value) for value in values],
        lambda values: ", ".join(map(one.shown, values)) or "none",
        many=True,
    )


def _or_none(kind: Kind | None) -> Kind | None:
    if kind is None:
        return None
    return kind._replace(
        plain=lambda value: None if value is None else kind.plain(value),
        real=lambda value: None if value is None else kind.real(value),
        shown=lambda value: "none" if value is None else kind.shown(value),
    )


def kind_of(annotation: ast.expr, enum: Callable[[str], type[Enum] | None]) -> Kind | None:
    """The kind that an annotation stands for; None for one that says nothing here. `enum` knows Enums by name."""
    match annotation:
        case ast.Constant(value=str(text)):
            return kind_of(_expression(text), enum)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            members = enum(name)
            return _member(members) if members else _list_of(None) if name == "list" else _NAMED.get(name)
        case ast.BinOp(left=kind, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _or_none(kind_of(kind, enum))
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            return _subscripted(name, inner, enum)
    return None


def _subscripted(name: str, inner: ast.expr, enum: Callable[[str], type[Enum] | None]) -> Kind | None:
    """`Literal[...]`, `list[...]`, `Optional[...]`."""
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    match name:
        case "Literal":
            values = [part.value for part in parts if isinstance(part, ast.Constant)]
            return _choice(values) if len(values) == len(parts) else None
        case "list" | "List":
            return _list_of(kind_of(inner, enum))
        case "Optional":
            return _or_none(kind_of(inner, enum))
    return None


def kind_like(default: object) -> Kind | None:
    """The kind of an option that has no annotation, by its default."""
    return _NAMED.get(type(default).__name__) if isinstance(default, bool | int | float | str) else None


def shown(default: object, kind: Kind | None) -> str:
    """A default as people read it."""
    if default is None or default == "":
        return "none"
    try:
        return kind.shown(default) if kind else str(default)
    except (TypeError, ValueError):
        return str(default)


# --- of a function ----------------------------------------------------------------------------------------------------


def of_function(function: Callable[..., Any], job: str) -> Options | None:
    """The options of a function, under the name of its job; None for a callable that tells nothing of itself.

    Raises OptionError for a function that can't be called with a mailbox.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of C
        return None
    mailbox = parameters.pop(0) if parameters else None
    if mailbox is None or mailbox.kind in {mailbox.KEYWORD_ONLY, mailbox.VAR_KEYWORD}:
        raise OptionError(
            f"{job} can't be called with a mailbox: a job is a function that takes one, and then its options"
        )
    known = [each for each in parameters if each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}]
    enum = partial(_enum_of, getattr(inspect.unwrap(function), "__globals__", {}), parameters)
    return Options(
        job,
        {each.name: _option(each, enum) for each in known},
        others=any(each.kind is each.VAR_KEYWORD for each in parameters),
    )


def _option(parameter: inspect.Parameter, enum: Callable[[str], type[Enum] | None]) -> Option:
    kind = None
    if parameter.annotation is not parameter.empty:
        kind = kind_of(_expression(parameter.annotation), enum)
    elif parameter.default is not parameter.empty:
        kind = kind_like(parameter.default)
    default = None if parameter.default is parameter.empty else shown(parameter.default, kind)
    return Option(parameter.name, kind, default)


def _expression(annotation: object) -> ast.expr:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return ast.Constant(None)


def _enum_of(space: Mapping[str, object], parameters: list[inspect.Parameter], name: str) -> type[Enum] | None:
    """The Enum of this name, among the annotations themselves or where the function was defined."""
    annotated = {getattr(each.annotation, "__name__", ""): each.annotation for each in parameters}
    found = annotated.get(name) or space.get(name)
    return found if isinstance(found, type) and issubclass(found, Enum) else None
