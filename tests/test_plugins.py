"""What another package adds: a scheme and a job work as those of fanout do, and one that is broken says whose it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fanout import jobhelp, jobs
from fanout.errors import UsageError
from workers.messages import ModuleJob
from workers.plugins import JOBS, SERVERS, PluginError, added, added_as
from workers.servers import server_at
from workers.urls import ServerUrlError

ROOT = Path(__file__).parent.parent
PACKAGE = Path(__file__).parent / "example_package"

MAIL = (
    "From a Thu Jan  1 00:00:00 2026\nSubject: lunch\nFrom: <a@x>\nDate: Fri, 02 Jan 2026 10:00:00 +0000\n\nAt noon.\n\n"
    "From b Thu Jan  1 00:00:00 2026\nSubject: lunch again\nFrom: <b@x>\n\nAt one.\n"
)


def install(place: Path, name: str, groups: dict[str, dict[str, str]]) -> None:
    """Have a package of this name, with these entry points, in a directory: what an installer leaves there, by hand."""
    info = place / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in each.items()) for group, each in groups.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of installed packages, on the path."""
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    return place


def test_nothing_is_looked_for_under_a_name_of_ours(site: Path) -> None:
    install(site, "greedy", {SERVERS: {"sim": "nowhere:S"}, JOBS: {"census": "nowhere:census"}})

    assert server_at("sim:3").numbered == 3
    assert jobs.named("census") == ModuleJob("workers.jobs.census", "census")
    assert [(each.what, each.package) for each in jobhelp.known() if each.package] == [
        ("not to be had: fanout has a job of this name; run it as nowhere:census", "greedy 1.0")
    ]


def test_a_job_that_is_added_is_known_by_its_name_and_not_imported(site: Path) -> None:
    (site / "theirs.py").write_text(
        'raise SystemExit\n\ndef spam(mailbox, *, most: int = 3):\n    """Counts spam."""\n'
    )
    install(site, "their-jobs", {JOBS: {"spam": "theirs:spam"}})

    assert jobs.named("spam") == ModuleJob("theirs", "spam")
    assert jobs.options(jobs.named("spam"), ("most=5",)) == {"most": 5}
    assert jobhelp.Known("spam", "Counts spam.", "their-jobs 1.0") in [*jobhelp.known()]
    with pytest.raises(
        UsageError, match=r"there is no job 'spm' .did you mean spam.*; there are .*senders, spam, and your own"
    ):
        jobs.named("spm")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            "nowhere_at_all:SCHEME",
            r"'mbx' is added by broken 1\.0, and nowhere_at_all:SCHEME can't be imported: ModuleNot",
        ),
        ("json:loads", r"'mbx' is added by broken 1\.0, and json:loads is no workers\.servers\.Scheme"),
    ],
)
def test_a_scheme_that_is_broken_says_whose_it_is(site: Path, value: str, words: str) -> None:
    install(site, "broken", {SERVERS: {"mbx": value}})

    with pytest.raises(ServerUrlError, match=words):
        server_at("mbx:mail")


def test_two_packages_that_claim_a_name_are_both_named(site: Path) -> None:
    install(site, "one", {JOBS: {"spam": "one:spam"}, SERVERS: {"mbx": "one:S"}})
    install(site, "two", {JOBS: {"spam": "two:spam"}, SERVERS: {"mbx": "two:S"}})

    with pytest.raises(
        UsageError, match=r"'spam' is added by one 1\.0 and by two 1\.0 \(fanout\.jobs\): uninstall all but"
    ):
        jobs.named("spam")
    with pytest.raises(ServerUrlError, match=r"'mbx' is added by one 1\.0 and by two 1\.0"):
        server_at("mbx:mail")


def test_a_package_that_is_on_the_path_twice_is_one(site: Path) -> None:
    install(site, "one", {JOBS: {"spam": "one:spam"}})
    install(site, "one-again", {JOBS: {"spam": "one:spam"}})

    assert added_as(JOBS, "spam")


def test_a_job_that_is_no_function_of_a_module_says_whose_it_is(site: Path) -> None:
    install(site, "odd", {JOBS: {"spam": "odd"}})

    with pytest.raises(UsageError, match=r"'spam' is added by odd 1\.0 as odd, which is no module:function"):
        jobs.named("spam")


def test_an_url_of_no_scheme_is_answered_with_those_that_are_added_too(site: Path) -> None:
    install(site, "their-server", {SERVERS: {"mbx": "theirs:S"}})

    with pytest.raises(ServerUrlError, match=r"begins with one of null:, sim:, .*, mbx:"):
        server_at("ftp:x")
    assert [each.name for each in added(SERVERS)] == ["mbx"]
    assert added_as(SERVERS, "ftp") is None
    assert issubclass(PluginError, ValueError)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package as an installer leaves it, in a directory of its own; what it adds is what its pyproject.toml says."""
    target = tmp_path_factory.mktemp("target")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    shutil.copytree(PACKAGE / "fanout_example", target / "fanout_example")
    install(target, project["name"], project["entry-points"])
    return target


def fanout(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{installed}"}
    return subprocess.run(
        [sys.executable, "-m", "fanout", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.spawns
def test_a_package_adds_a_scheme_and_a_job(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    for name in ("anna", "bert"):
        (tmp_path / "mail" / f"{name}.mbox").write_text(MAIL)

    done = fanout(installed, tmp_path, "run", "spam", "--server", "mbx:mail", "-a", "word=lunch", "-o", "out.jsonl")
    census = fanout(installed, tmp_path, "run", "census", "--server", "mbx:mail", "-o", "-", "-q")
    told = fanout(installed, tmp_path, "jobs", "spam")
    wrong = fanout(installed, tmp_path, "run", "spam", "--server", "mbx:mail", "-a", "wrd=lunch")

    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["result"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        {"spam": 2}
    ] * 2
    assert "totals    4 spam" in done.stderr
    assert [json.loads(line)["result"]["messages"] for line in census.stdout.splitlines()] == [2, 2]
    assert "Counts the messages whose subject has a word." in told.stdout
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "fanout: -a wrd=lunch: spam has no option 'wrd'; it has word, most; did you mean word?\n",
    )
