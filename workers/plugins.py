"""What other packages add, by entry points: schemes of servers, and jobs. Looked for only where a name is none of ours.

[project.entry-points."fanout.servers"]
mbx = "their_package.server:SCHEME"

[project.entry-points."fanout.jobs"]
spam = "their_package.jobs:spam"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SERVERS = "fanout.servers"
JOBS = "fanout.jobs"


class PluginError(ValueError):
    """What another package adds can't be used: says which package, and what is wrong with it."""


def added(group: str) -> list[EntryPoint]:
    """All that packages add to a group, by name. Nothing is imported."""
    from importlib.metadata import entry_points  # takes as long to import as all of this package

    return sorted(entry_points(group=group), key=lambda each: (each.name, package_of(each)))


def added_as(group: str, name: str) -> EntryPoint | None:
    """What is added under a name; None where nothing is. Raises PluginError when several packages claim it."""
    found = [each for each in added(group) if each.name == name]
    packages = sorted({package_of(each) for each in found})
    if len({each.value for each in found}) > 1:
        raise PluginError(
            f"{name!r} is added by {' and by '.join(packages)} ({group}): uninstall all but one, or name the function itself"
        )
    return found[0] if found else None


def loaded(entry: EntryPoint) -> object:
    """What an entry point leads to. Raises PluginError when it can't be imported."""
    try:
        return entry.load()
    except Exception as error:
        raise PluginError(
            f"{entry.name!r} is added by {package_of(entry)}, and {entry.value} can't be imported: "
            f"{type(error).__name__}: {error}; that package has to be mended, or uninstalled"
        ) from error


def package_of(entry: EntryPoint) -> str:
    """The distribution that an entry point is from, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without a name"
