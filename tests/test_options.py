"""Options of jobs, from signatures and from sources: what a text means, and what is said of one that means nothing."""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Optional

import pytest
from click.testing import CliRunner

from fanout import jobs
from fanout.cli import cli
from fanout.errors import UsageError
from fanout.source import told_of
from workers.loading import JobError, load
from workers.mailbox import Mailbox
from workers.messages import FileJob
from workers.options import OptionError, Options, Size, of_function, size_in_words

SOURCE = '''
import fanout
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Literal, Optional

raise SystemExit("nobody may import this to look at it")

LIMIT = 10

class Colour(Enum):
    RED = "r"
    BLUE = "b"

@fanout.job(writes=True, idempotent=True)
def paint(
    mailbox, count: int, share: float = 0.5, deep: bool = False, words: str = "", above: fanout.Size = 0,
    since: date | None = None, at: "datetime" = None, place: Path = Path("."), form: Literal["eml", "mbox"] = "eml",
    colour: Colour = Colour.RED, *, folders: list[str] = (), sizes: list[Size] = [], most: Optional[int] = None,
    limit=LIMIT, free=None,
):
    """Paints.

    Twice.
    """

def others(mailbox, **options): ...

@cached
def hidden(mailbox): ...

def no_mailbox(): ...

def rebound(mailbox, needed): ...

rebound = partial(rebound, needed=1)
'''


class Colour(Enum):
    RED = "r"
    BLUE = "b"


def paint(  # noqa: PLR0913 - one of each kind
    mailbox: Mailbox,
    count: int,
    *,
    share: float = 0.5,
    deep: bool = False,
    words: str = "",
    above: Size = 0,
    since: date | None = None,
    at: datetime | None = None,
    place: Path = Path(),
    form: Literal["eml", "mbox"] = "eml",
    colour: Colour = Colour.RED,
    folders: list[str] | None = None,
    sizes: list[Size] | None = None,
    most: Optional[int] = None,  # noqa: UP045 - it is one of the ways to say so
    limit: int = 10,
    free: Any = None,  # noqa: ANN401 - a kind of which nothing is known
) -> object: ...


@pytest.fixture
def file(tmp_path: Path) -> FileJob:
    path = tmp_path / "their_job.py"
    path.write_text(SOURCE)
    return FileJob(str(path), "paint")


def of_the_source(file: FileJob) -> Options:
    told = told_of(file)
    assert told
    return told.options


VALUES = [
    ("count=3", 3, 3),
    ("share=2", 2.0, 2.0),
    ("deep=yes", True, True),
    ("words=007", "007", "007"),
    ("above=10M", 10 * 2**20, 10 * 2**20),
    ("above=1.5KiB", 1536, 1536),
    ("since=2026-01-31", "2026-01-31", date(2026, 1, 31)),
    ("at=2026-01-31T09:00", "2026-01-31T09:00:00", datetime(2026, 1, 31, 9)),  # noqa: DTZ001 - as it was given
    ("place=a/b", "a/b", Path("a/b")),
    ("form=mbox", "mbox", "mbox"),
    ("colour=BLUE", "BLUE", Colour.BLUE),
    ("colour=b", "BLUE", Colour.BLUE),
    ("folders=Inbox", ["Inbox"], ["Inbox"]),
    ("sizes=1K", [1024], [1024]),
    ("most=4", 4, 4),
    ("limit=5", 5, 5),
    ("free=2.5", 2.5, 2.5),
    ("free=x", "x", "x"),
]


@pytest.mark.parametrize(("text", "plain", "real"), VALUES)
def test_a_text_means_what_the_annotation_says(file: FileJob, text: str, plain: object, real: object) -> None:
    name, _, value = text.partition("=")
    given = {"count": ["1"], name: [value]}
    known = of_function(paint, "paint")
    assert known

    values = of_the_source(file).of_texts(given)

    assert values == known.of_texts(given)
    assert values[name] == plain
    assert known.real(values)[name] == real
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("count=many",), "count=many: 'many' is not a whole number"),
        (("count=1", "share=half"), "share=half: 'half' is not a number"),
        (("count=1", "deep=perhaps"), "deep=perhaps: 'perhaps' is not true or false"),
        (("count=1", "above=big"), "above=big: 'big' is not a size, as in 1000, 512K or 10M"),
        (("count=1", "above=-1"), "above=-1: '-1' is not a size"),
        (("count=1", "since=31.1.2026"), "since=31.1.2026: '31.1.2026' is not a date, as in 2026-01-31"),
        (("count=1", "at=noon"), "at=noon: 'noon' is not a moment"),
        (("count=1", "place="), "place=: '' is not a path"),
        (("count=1", "form=zip"), "form=zip: 'zip' is not one of eml, mbox"),
        (("count=1", "colour=green"), "colour=green: 'green' is not one of RED, BLUE"),
        (("count=1", "sizes=1", "sizes=x"), r"sizes=\['1', 'x'\]: .* is not a size, as in .*; may be repeated"),
        (("count=1", "count=2"), "count=2: count is given 2 times, and paint takes it once"),
        (("count=1", "limt=2"), "limt=2: paint has no option 'limt'; it has count, .*; did you mean limit?"),
        (("limit=2",), "count=...: paint can't do without it: a whole number"),
    ],
)
def test_what_can_not_be_meant_is_said_in_a_sentence(file: FileJob, texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=f"^-a {words}"):
        jobs.options(file, texts)


def test_repeated_options_come_together(file: FileJob) -> None:
    assert jobs.options(file, ("count=1", "folders=a", "folders=b")) == {"count": 1, "folders": ["a", "b"]}


def test_defaults_are_shown_as_people_write_them(file: FileJob) -> None:
    shown = {each.name: each.default for each in of_the_source(file).known.values()}

    assert shown == {
        "count": None,
        "share": "0.5",
        "deep": "false",
        "words": "none",
        "above": "0",
        "since": "none",
        "at": "none",
        "place": "Path('.')",
        "form": "eml",
        "colour": "Colour.RED",
        "folders": "none",
        "sizes": "none",
        "most": "none",
        "limit": "10",
        "free": "none",
    }


def test_a_source_tells_its_words_and_its_marks(file: FileJob) -> None:
    told = told_of(file)

    assert told
    assert (told.doc, told.merges) == ("Paints.\n\nTwice.", False)


@pytest.mark.parametrize("function", ["hidden", "no_mailbox", "not_there", "rebound"])
def test_of_a_function_that_may_not_be_what_it_looks_like_nothing_is_told(file: FileJob, function: str) -> None:
    assert told_of(FileJob(file.path, function)) is None


def test_a_job_that_takes_any_option_is_given_any(file: FileJob) -> None:
    assert jobs.options(FileJob(file.path, "others"), ("a=1", "b=x")) == {"a": 1, "b": "x"}


def test_a_file_that_is_no_python_is_left_to_its_workers(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (")

    assert jobs.options(FileJob(str(tmp_path / "broken.py"), "job"), ("a=1",)) == {"a": 1}


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0"), (10, "10"), (2**20, "1M"), (3 * 2**29, "1536M"), (2**30, "1G"), (1025, "1025")]
)
def test_a_size_in_words(number: int, words: str) -> None:
    assert size_in_words(number) == words


def test_python_gives_values_of_their_own_kind() -> None:
    job = jobs.carried(paint)
    given = {"count": 1, "since": date(2026, 1, 31), "place": Path("a"), "colour": Colour.BLUE, "above": 10}

    plain = jobs.plain(job, given, paint)

    assert plain == {"count": 1, "since": "2026-01-31", "place": "a", "colour": "BLUE", "above": 10}
    with pytest.raises(UsageError, match="options: count=True: True is not a whole number"):
        jobs.plain(job, {"count": True}, paint)


def test_a_worker_calls_the_job_with_real_values(tmp_path: Path) -> None:
    path = tmp_path / "real_job.py"
    path.write_text("from datetime import date\ndef job(mailbox, since: date): return since.year\n")

    called: Any = load(FileJob(str(path), "job"), {"since": "2026-01-31"})

    assert called(None) == 2026
    with pytest.raises(JobError, match="since=soon: 'soon' is not a date"):
        load(FileJob(str(path), "job"), {"since": "soon"})


def test_a_function_of_c_takes_what_it_is_given() -> None:
    assert of_function(type, "type") is None


def test_a_function_without_a_mailbox_is_no_job() -> None:
    with pytest.raises(OptionError, match="job can't be called with a mailbox"):
        of_function(lambda: 1, "job")


def test_nothing_is_opened_for_an_option_that_is_none(file: FileJob, tmp_path: Path) -> None:
    run_file = tmp_path / "r.fanout"
    words = ["run", f"{file.path}:paint", "--server", "sim:3", "-a", "cuont=1", "--run-file", str(run_file)]

    done = CliRunner().invoke(cli, words, standalone_mode=False)

    assert isinstance(done.exception, UsageError)
    assert done.exception.exit_code == 2
    assert "did you mean count?" in str(done.exception)
    assert not run_file.exists()


@pytest.mark.parametrize(
    "odd",
    [
        "def job(mailbox, a: 'no expression (' = 1): ...",
        "def job(mailbox, a={[]: 1}): ...",
        "from enum import Enum\nclass E(Enum):\n    mro = 1\ndef job(mailbox, a: E = 1): ...",
        "def job(mailbox, a: dict[str, int] = {}): ...",
    ],
)
def test_a_source_that_is_odd_is_left_to_its_workers(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "odd.py"
    path.write_text(odd)

    assert jobs.options(FileJob(str(path), "job"), ("a=5",)) == {"a": 5}
