"""Who may import whom: the arrow runs from `fanout` to the words of `workers`, never back."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: The words of `workers` that `fanout` may speak.
WORDS = {
    "access",
    "article",
    "causes",
    "child",
    "jobs",
    "linux",
    "loading",
    "marks",
    "messages",
    "options",
    "output",
    "plugins",
    "servers",
    "simulated",
    "slots",
    "template",
    "totals",
    "urls",
}

#: Modules that wrap a library that has no types, or that must not be seen elsewhere.
WRAPPERS = {
    "multiprocess": {"fanout/engines/processes.py", "workers/template.py"},
    "dill": {"fanout/jobs.py", "workers/loading.py"},
    "psutil": {"fanout/bench/apart.py", "workers/template.py"},
    "imapclient": {"workers/imap/mailbox.py"},
    "imaplib": {"workers/imap/line.py", "workers/imap/mailbox.py"},
    "httpx": {
        "workers/mapi/http/authentication.py",
        "workers/mapi/http/autodiscover.py",
        "workers/mapi/http/channel.py",
        "workers/mapi/http/endpoint.py",
    },
    "spnego": {"workers/mapi/http/authentication.py"},
    "matplotlib": {"fanout/bench/picture.py", "fanout/forecast/picture.py", "fanout/pictures.py"},
    "regex": {"workers/jobs/search.py"},
    "jinja2": {"fanout/report/page.py"},
    "markupsafe": {"fanout/report/visible.py"},
    "distributed": {"fanout/engines/berth.py", "fanout/engines/cluster.py"},
    "sqlite3": {"fanout/comparison.py", "fanout/durable.py", "fanout/names.py", "fanout/runfile.py"},
    "click": {
        "fanout/cli/__init__.py",
        "fanout/cli/access.py",
        "fanout/cli/benching.py",
        "fanout/cli/comparing.py",
        "fanout/cli/completing.py",
        "fanout/cli/doctoring.py",
        "fanout/cli/engine.py",
        "fanout/cli/explaining.py",
        "fanout/cli/finishing.py",
        "fanout/cli/looking.py",
        "fanout/cli/merging.py",
        "fanout/cli/planning.py",
        "fanout/cli/reporting.py",
        "fanout/cli/reproducing.py",
        "fanout/cli/running.py",
        "fanout/cli/serving.py",
        "fanout/cli/steering.py",
        "fanout/cli/telling.py",
        "fanout/cli/watching.py",
        "fanout/cli/words.py",
    },
    "rich": {"fanout/drawing.py", "fanout/screen.py"},
}

#: What would let a pure module reach the world: the clock, chance, processes, files, the network.
WORLD = {
    "os",
    "time",
    "datetime",
    "random",
    "select",
    "selectors",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "threading",
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it, with each name that it takes from one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules_of(package: str) -> Iterator[tuple[str, set[str]]]:
    """The path of each module of a package, and what it imports."""
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), imports(path)


def importers(library: str) -> set[str]:
    """The modules of ours that import a library."""
    ours = [*modules_of("fanout"), *modules_of("workers")]
    return {path for path, names in ours if any(name.split(".")[0] == library for name in names)}


def test_there_is_something_to_look_at() -> None:
    assert len(dict(modules_of("fanout"))) > 20
    assert len(dict(modules_of("workers"))) > 20


def test_nothing_in_workers_imports_fanout() -> None:
    assert not {path for path in importers("fanout") if path.startswith("workers/")}


def test_fanout_speaks_the_words_of_workers_and_knows_no_mail_protocol() -> None:
    spoken = defaultdict(set)
    for path, names in modules_of("fanout"):
        for name in names:
            package, _, rest = name.partition(".")
            if package == "workers":
                spoken[rest.split(".")[0]].add(path)

    assert spoken.keys() == WORDS, dict(spoken)


@pytest.mark.parametrize("library", WRAPPERS)
def test_a_library_is_imported_by_its_wrappers_alone(library: str) -> None:
    assert importers(library) == WRAPPERS[library]


def test_standard_multiprocessing_is_imported_by_nobody() -> None:
    assert importers("multiprocessing") == set()


def test_the_clocks_of_fanout_are_where_things_happen() -> None:
    clocks = {path for path in importers("time") if path.startswith("fanout/")}

    assert clocks == {
        "fanout/bench/apart.py",
        "fanout/bench/measuring.py",
        "fanout/cli/benching.py",
        "fanout/cli/reproducing.py",
        "fanout/fleet/fleet.py",
        "fanout/loop.py",
    }


@pytest.mark.parametrize(
    "path",
    [
        "fanout/bench/estimate.py",
        "fanout/bench/report.py",
        "fanout/bench/rounds.py",
        "fanout/bench/table.py",
        "fanout/crew.py",
        "fanout/dispatch.py",
        "fanout/drawing.py",
        "fanout/endings.py",
        "fanout/estimate.py",
        "fanout/events.py",
        "fanout/fleet/holders.py",
        "fanout/forecast/timeline.py",
        "fanout/forecast/virtual.py",
        "fanout/forecast/visits.py",
        "fanout/leaks.py",
        "fanout/lives.py",
        "fanout/orders.py",
        "fanout/ordinals.py",
        "fanout/overview.py",
        "fanout/pace.py",
        "fanout/partition.py",
        "fanout/policy.py",
        "fanout/report/axis.py",
        "fanout/report/bins.py",
        "fanout/report/charts.py",
        "fanout/report/course.py",
        "fanout/report/failures.py",
        "fanout/report/heading.py",
        "fanout/report/lanes.py",
        "fanout/report/ranking.py",
        "fanout/report/record.py",
        "fanout/report/results.py",
        "fanout/report/servers.py",
        "fanout/report/tally.py",
        "fanout/report/units.py",
        "fanout/report/visible.py",
        "fanout/staff.py",
        "fanout/watch.py",
        "fanout/work.py",
        "workers/totals.py",
    ],
)
def test_a_pure_module_cannot_reach_the_world(path: str) -> None:
    assert {name.split(".")[0] for name in imports(ROOT / path)} & WORLD == set()


@pytest.mark.parametrize(
    "path",
    [
        "fanout/bench/comparison.py",
        "fanout/bench/settings.py",
        "fanout/bench/verdict.py",
        "fanout/forecast/model.py",
        "fanout/forecast/study.py",
        "fanout/forecast/tape.py",
    ],
)
def test_a_pure_module_draws_lots_from_a_seed_alone(path: str) -> None:
    used = imports(ROOT / path)

    assert {name for name in used if name.split(".")[0] in WORLD} == {"random.Random"}


def test_visits_know_no_pipe_and_no_server() -> None:
    used = {name.split(".")[1] for name in imports(ROOT / "workers/visit.py") if name.startswith("workers.")}

    assert used <= {"causes", "failures", "mailbox", "messages", "output", "servers", "slots", "totals"}
