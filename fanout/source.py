"""What a job's source tells of it: its options, its words, its marks. Nothing is imported: that is for workers.

Told of is a function that stands in the file under its own name, with no decorator but `job`, and is given no other value
there: it may have other options then. Of any other, its workers say what they find.
"""

from __future__ import annotations

import ast
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, cast

from fanout.code import file_of
from workers.options import Option, Options, kind_like, kind_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workers.messages import FileJob, ModuleJob

#: The decorator that may stand above a job, and its argument that names a merge function.
_MARK, _MERGE = "job", "merge"

_ENUMS = {"Enum", "StrEnum", "IntEnum"}


class Told(NamedTuple):
    """What a source tells of a job."""

    options: Options
    #: The docstring; empty where there is none.
    doc: str
    #: Whether it brings a merge function.
    merges: bool


def told_of(job: ModuleJob | FileJob) -> Told | None:
    """What the source of a job tells; None where it can't be told from the source."""
    module = _parsed(file_of(job))
    function = {each.name: each for each in _functions(module)}.get(job.function)
    if function is None or job.function in _assigned(module.body):
        return None
    if any(_last_name(_called(each)) != _MARK for each in function.decorator_list):
        return None
    keywords = [each.arg for mark in function.decorator_list if isinstance(mark, ast.Call) for each in mark.keywords]
    options = _options(function, module)
    return options and Told(options, ast.get_docstring(function) or "", _MERGE in keywords)


def functions_of(path: Path) -> dict[str, str]:
    """The functions of a file that could be jobs, by name, each with the first line of its docstring."""
    public = (each for each in _functions(_parsed(path)) if not each.name.startswith("_"))
    return {each.name: (ast.get_docstring(each) or "").partition("\n")[0] for each in public}


def _parsed(path: Path | None) -> ast.Module:
    """The module in a file; an empty one where it can't be read: its workers will say why."""
    try:
        return ast.parse(path.read_bytes()) if path else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def _functions(module: ast.Module) -> Iterator[ast.FunctionDef]:
    return (each for each in module.body if isinstance(each, ast.FunctionDef))


def _options(function: ast.FunctionDef, module: ast.Module) -> Options | None:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    if not positional:
        return None
    space = _Space(module)
    defaults: list[ast.expr | None] = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    by_position = [*zip(positional, defaults, strict=True)][1:]
    given = [*by_position, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    known = {each.arg: space.option(each, default) for each, default in given}
    return Options(function.name, known, others=arguments.kwarg is not None)


class _Space:
    """The constants and Enums of a module, as its source has them."""

    def __init__(self, module: ast.Module) -> None:
        self._constants = _assigned(module.body)
        self._classes = {each.name: each for each in module.body if isinstance(each, ast.ClassDef)}

    def option(self, argument: ast.arg, default: ast.expr | None) -> Option:
        kind = kind_of(argument.annotation, self.enum) if argument.annotation else None
        if default is None:
            return Option(argument.arg, kind, None)
        try:
            value = self._value(default)
        except (TypeError, ValueError):
            return Option(argument.arg, kind, ast.unparse(default))
        kind = kind_like(value) if argument.annotation is None else kind
        return Option(argument.arg, kind, shown(value, kind))

    def enum(self, name: str) -> type[Enum] | None:
        """The Enum of this name; a member whose value is no literal goes by its name alone."""
        found = self._classes.get(name)
        if found is None or not {*map(_last_name, found.bases)} & _ENUMS:
            return None
        members = [(member, self._value_or(node, member)) for member, node in _assigned(found.body).items()]
        try:
            return cast("type[Enum]", Enum("Found", members))
        except (TypeError, ValueError):  # names that no member may have: its import will say so
            return None

    def _value(self, node: ast.expr) -> object:
        """A literal, or the constant of the module that it names. Raises ValueError."""
        return ast.literal_eval(self._constants.get(node.id, node) if isinstance(node, ast.Name) else node)

    def _value_or(self, node: ast.expr, other: str) -> object:
        try:
            return self._value(node)
        except (TypeError, ValueError):
            return other


def _assigned(body: list[ast.stmt]) -> dict[str, ast.expr]:
    """The names that are given a value there, with what stands for it."""
    found = {}
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({each.id: node.value for each in targets if isinstance(each, ast.Name)})
    return found


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
