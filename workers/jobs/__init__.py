"""The built-in jobs: functions that are called with one open mailbox and return, or yield, what they found."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: A job's name, and the module and function it stands for. Nothing is imported until a job is wanted.
BUILT_IN: dict[str, tuple[str, str]] = {
    "census": ("workers.jobs.census", "census"),
    "duplicates": ("workers.jobs.duplicates", "duplicates"),
    "folders": ("workers.jobs.folders", "folders"),
    "largest": ("workers.jobs.largest", "largest"),
    "logon": ("workers.jobs.logon", "logon"),
    "quota": ("workers.jobs.quota", "quota"),
    "save": ("workers.jobs.save", "save"),
    "search": ("workers.jobs.search", "search"),
    "senders": ("workers.jobs.senders", "senders"),
}


def load(name: str) -> Callable[..., Any]:
    """The function of a built-in job; its options are its keyword-only parameters. Raises KeyError."""
    module, function = BUILT_IN[name]
    job: Callable[..., Any] = getattr(import_module(module), function)
    return job


def check(name: str, options: dict[str, Any]) -> None:
    """Raise ValueError for options of a built-in job that can't be meant, though each is of its kind."""
    checked = getattr(import_module(BUILT_IN[name][0]), "check", None)
    if checked:
        checked(**options)


def descriptions() -> dict[str, str]:
    """Each built-in job in one line: the first of its docstring."""
    return {name: (load(name).__doc__ or "").partition("\n")[0] for name in BUILT_IN}
