"""The child as a real process over pipes: what it says to what it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import dill
import msgspec
import pytest

from workers.causes import Cause
from workers.linux import DUMP
from workers.messages import (
    Announced,
    Begin,
    Chunk,
    FileJob,
    Found,
    FrameReader,
    Job,
    Leaving,
    Listed,
    ListMailboxes,
    Message,
    ModuleJob,
    Names,
    PickledJob,
    Printed,
    Ready,
    Recording,
    ToParent,
    Unable,
    frame,
)
from workers.output import IMPORTED
from workers.roster import PAGE
from workers.slots import Slots

pytestmark = pytest.mark.spawns

MAIN = """
import sys
from workers.child import main, prepare

main(*map(int, sys.argv[1:4]), range(int(sys.argv[4]) + 1), prepare())
"""

ROOT = Path(__file__).parent.parent

JOBS = """
    import logging, os, sys
    from workers.marks import job
    print("imported")

    def number(mailbox):
        return int(mailbox.address.removeprefix("null-"))

    def talk(mailbox):
        print("at", mailbox.address)
        logging.getLogger("theirs").info("saw it")
        os.write(1, b"from below ")

    def fork(mailbox, *, outbox):
        child = os.fork()
        if child == 0:
            os.write(outbox, b"nonsense")
            print("from the fork")
            os._exit(0)
        return os.waitpid(child, 0)[1]

    forks = []

    def fork_and_return(mailbox):
        for fork in forks:
            os.waitpid(fork, 0)
        forks[:] = [os.fork()] if not forks else []
        if forks == [0]:
            return "the fork's"
        return "the worker's"

    @job(writes=True)
    def write(mailbox):
        number = int(mailbox.address.removeprefix("null-"))
        if number == 3:
            os._exit(7)
        return [number, mailbox.dry_run]

    @job(writes=True, idempotent=True)
    def write_again(mailbox):
        return mailbox.dry_run

    def stdin(mailbox):
        return len(os.read(0, 1))

    def leave(mailbox):
        os._exit(7)
"""


class Child:
    """A running worker, as its parent holds it."""

    def __init__(self) -> None:
        self.slots = Slots.create(1)
        theirs_in, self.inbox = os.pipe()
        self.outbox, self.theirs_out = os.pipe()
        descriptors = [theirs_in, self.theirs_out, self.slots.descriptor]
        terminal = os.open(__file__, os.O_RDONLY)  # something to read, as a terminal has
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *map(str, descriptors), "0"],
            pass_fds=descriptors,
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for descriptor in (theirs_in, self.theirs_out, terminal):
            os.close(descriptor)
        self._reader: FrameReader[Message] = FrameReader(ToParent)
        self._heard: list[Message] = []

    def tell(self, *messages: Message) -> None:
        os.write(self.inbox, b"".join(map(frame, messages)))

    def hear(self) -> Message:
        """The next message; it must come."""
        while not self._heard:
            data = os.read(self.outbox, 2**16)
            assert data, "the worker has nothing more to say"
            self._heard = self._reader.feed(data)
        return self._heard.pop(0)

    def rest(self) -> list[Message]:
        """End the worker's pipe, and hear all that it still says."""
        os.close(self.inbox)
        self.inbox = -1
        while data := os.read(self.outbox, 2**16):
            self._heard += self._reader.feed(data)
        self._reader.end()
        return self._heard

    def end(self) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of the process, which has ended or is about to."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out.decode(), err.replace(IMPORTED, b"").decode()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        for descriptor in (self.inbox, self.outbox):
            if descriptor != -1:
                os.close(descriptor)
        self.slots.close()


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child()
    yield child
    child.close()


@pytest.fixture
def jobs(tmp_path: Path) -> str:
    path = tmp_path / "their_jobs.py"
    path.write_text(dedent(JOBS))
    return str(path)


def begin(job: Job | None = None, server: str = "null:100", **options: object) -> Begin:
    return Begin(server, separate_connections=False, recording=Recording.RESULTS, job=job, options=options)


def test_a_worker_says_ready_visits_its_chunks_and_ends_with_its_pipe(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "number")), Chunk(number=1, first=0, count=3), Chunk(number=2, first=7, count=1))

    assert child.rest() == [Ready(), Found(1, 0, 3, b"0\n1\n2\n", b"3"), Found(2, 7, 1, b"7\n", b"7")]
    assert child.end() == (0, "", "imported\n")
    assert child.slots.at(0) is None


@pytest.mark.parametrize(
    ("close", "ends"),
    [
        ("os.write(2, b'closed')", (0, "closed")),
        ("raise OSError('the server is gone')", (0, "")),
        ("threading.Event().wait()", (-signal.SIGALRM, "")),
    ],
)
def test_a_worker_that_leaves_ends_its_session_and_is_not_held_up_by_it(
    child: Child, tmp_path: Path, close: str, ends: tuple[int, str]
) -> None:
    path = tmp_path / "their_jobs.py"
    path.write_text(
        dedent(f"""
            import os, threading, workers.child
            from workers.null import NullSession
            def close(session):
                {close}
            workers.child.CLOSE_SECONDS = 1
            NullSession.close = close
            def job(mailbox):
                return 1
        """)
    )
    child.tell(begin(FileJob(str(path), "job")), Chunk(number=1, first=0, count=1))

    assert child.rest() == [Ready(), Found(1, 0, 1, b"1\n", b"1")]
    code, _, said = child.end()
    assert (code, said) == ends


def test_names_that_the_chunk_brings_are_those_of_the_records(child: Child) -> None:
    beginning = msgspec.structs.replace(begin(ModuleJob("workers.jobs.census", "census")), recording=Recording.RECORDS)
    child.tell(beginning, Chunk(number=1, first=0, count=2, addresses=["anna", "zoë"]))

    ready, found = child.rest()

    assert ready == Ready()
    assert isinstance(found, Found)
    assert [line.partition(b",")[0].decode() for line in found.lines.splitlines()] == [
        '{"mailbox":"anna"',
        '{"mailbox":"zoë"',
    ]


def test_a_function_that_was_carried_is_run(child: Child) -> None:
    pickle = dill.dumps(lambda mailbox, plus: len(mailbox.address) + plus, recurse=True)
    child.tell(begin(PickledJob("<lambda>", pickle), plus=100), Chunk(number=1, first=5, count=2))

    assert child.rest() == [Ready(), Found(1, 5, 2, b"113\n113\n", b"226")]


def test_what_a_job_prints_and_logs_is_told_and_what_c_prints_goes_to_stderr(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "talk")), Chunk(number=1, first=3, count=1))

    assert child.rest()[1] == Printed(3, "at null-00000003\nINFO theirs: saw it\n")
    assert child.end() == (0, "", "imported\nfrom below ")


def test_a_job_has_no_input(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "stdin")), Chunk(number=1, first=0, count=1))

    assert child.rest() == [Ready(), Found(1, 0, 1, b"0\n", b"0")]


def test_what_a_job_forks_cannot_speak_for_its_worker(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "fork"), outbox=child.theirs_out), Chunk(number=1, first=0, count=1))

    assert child.rest() == [Ready(), Found(1, 0, 1, b"0\n", b"0")]


@pytest.mark.parametrize("server", ["null:100", "sim:100"])
def test_a_fork_that_a_job_lets_return_goes_no_further(child: Child, jobs: str, server: str) -> None:
    child.tell(begin(FileJob(jobs, "fork_and_return"), server), Chunk(number=1, first=0, count=20))

    ready, *found = child.rest()

    assert ready == Ready()
    assert b"".join(each.lines for each in found if isinstance(each, Found)) == b'"the worker\'s"\n' * 20
    assert child.end() == (0, "", "imported\n")
    assert child.slots.at(0) is None


def test_the_slot_of_a_worker_that_is_gone_names_its_mailbox(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "leave")), Chunk(number=1, first=42, count=9))

    assert child.rest() == [Ready()]
    assert child.end()[0] == 7
    assert child.slots.at(0) == 42


@pytest.mark.parametrize(
    ("message", "type_", "says"),
    [
        (begin(ModuleJob("no_such_module", "job")), "JobError", "there is no module 'no_such_module'"),
        (begin(ModuleJob("workers.jobs.census", "sensus")), "JobError", "has no function 'sensus'"),
        (
            begin(ModuleJob("workers.jobs.census", "census"), newst=True),
            "JobError",
            "it has newest; did you mean newest?",
        ),
        (begin(FileJob("nowhere.py", "job")), "JobError", "is no Python file"),
        (begin(PickledJob("job", b"nonsense")), "UnpicklingError", ""),
        (begin(ModuleJob("workers.jobs.census", "census"), server="nul:3"), "ServerUrlError", "begins with one of"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_worker_that_cannot_work_says_why_and_ends(child: Child, message: Begin, type_: str, says: str) -> None:
    child.tell(message)

    unable = child.hear()

    assert isinstance(unable, Unable)
    assert (unable.error.type, unable.error.cause) == (type_, Cause.JOB)
    assert says in unable.error.message
    assert child.end()[0] == 0


@pytest.mark.parametrize(("source", "says"), [("1 / 0", "ZeroDivisionError"), ("raise SystemExit(3)", "SystemExit: 3")])
def test_a_module_that_raises_on_import_is_told_of(child: Child, tmp_path: Path, source: str, says: str) -> None:
    path = tmp_path / "job.py"
    path.write_text(source)
    child.tell(begin(FileJob(str(path), "job")))

    unable = child.hear()

    assert isinstance(unable, Unable)
    assert unable.error.type == "JobError"
    assert says in unable.error.message
    assert f"{path}, line 1" in unable.error.message


def test_a_roster_worker_announces_the_server_and_lists_what_was_asked_for(child: Child) -> None:
    announced = Announced(None, "null: holds nothing open", 3, "computed from the number in the URL")
    child.tell(begin(server="null:3"), ListMailboxes(Names.ALL), ListMailboxes(Names.UNNUMBERED))

    assert child.rest() == [
        Ready(),
        announced,
        Listed(["null-00000000", "null-00000001", "null-00000002"]),
        Listed([]),
        announced,
        Listed([]),
    ]


def test_a_roster_worker_that_is_asked_for_no_names_gives_none(child: Child) -> None:
    child.tell(begin(server="null:3"), ListMailboxes(Names.NONE))

    assert child.rest()[2:] == [Listed([])]


def test_a_long_roster_comes_in_pages(child: Child) -> None:
    child.tell(begin(server=f"null:{2 * PAGE + 1}"), ListMailboxes(Names.ALL))

    pages = [message for message in child.rest() if isinstance(message, Listed)]

    assert [len(page.addresses) for page in pages] == [PAGE, PAGE, 1, 0]


def test_ctrl_c_does_not_end_a_worker(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "number")))
    child.hear()

    child.process.send_signal(signal.SIGINT)
    child.tell(Chunk(number=1, first=0, count=1))

    assert child.rest() == [Found(1, 0, 1, b"0\n", b"0")]
    assert child.end()[0] == 0


def test_sigterm_ends_a_worker_at_once(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "number")))
    child.hear()

    child.process.send_signal(signal.SIGTERM)

    assert child.end()[0] == -signal.SIGTERM


def test_a_worker_whose_parent_is_gone_leaves_without_a_word(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "number")))
    child.hear()

    os.close(child.outbox)
    child.outbox = -1
    child.tell(Chunk(number=1, first=0, count=1))

    assert child.end() == (0, "", "imported\n")


def test_a_worker_that_is_not_told_to_begin_does_nothing(child: Child) -> None:
    child.tell(Chunk(number=1, first=0, count=1))

    assert child.rest() == []
    assert child.end() == (0, "", "")


def test_a_worker_that_hears_nothing_ends(child: Child) -> None:
    assert child.rest() == []
    assert child.end() == (0, "", "")


def test_a_job_that_writes_is_refused_unless_it_is_allowed(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "write")))

    unable = child.hear()

    assert isinstance(unable, Unable)
    assert (unable.error.type, unable.error.cause) == ("WritesNotAllowed", Cause.JOB)
    assert "--allow-writes" in unable.error.message
    assert child.end()[0] == 0


def test_what_a_writing_job_has_done_is_told_before_it_goes_on(child: Child, jobs: str) -> None:
    """It dies at mailbox 3 within microseconds: nothing that it did before is lost."""
    allowed = msgspec.structs.replace(begin(FileJob(jobs, "write")), allow_writes=True)
    child.tell(allowed, Chunk(number=1, first=0, count=9))

    assert child.rest() == [
        Ready(uncertain=True),
        Found(1, 0, 1, b"[0,false]\n", b"null"),
        Found(1, 1, 1, b"[1,false]\n", b"null"),
        Found(1, 2, 1, b"[2,false]\n", b"null"),
    ]
    assert child.end()[0] == 7
    assert child.slots.at(0) == 3


def test_a_job_that_may_write_twice_is_not_uncertain(child: Child, jobs: str) -> None:
    allowed = msgspec.structs.replace(begin(FileJob(jobs, "write_again")), allow_writes=True)
    child.tell(allowed, Chunk(number=1, first=0, count=2))

    assert child.rest() == [Ready(), Found(1, 0, 2, b"false\nfalse\n", b"0")]


@pytest.mark.parametrize("server", ["null:100", "sim:100"])
def test_in_a_dry_run_a_job_that_writes_is_told_so(child: Child, jobs: str, server: str) -> None:
    dry = msgspec.structs.replace(begin(FileJob(jobs, "write_again"), server), dry_run=True)
    child.tell(dry, Chunk(number=1, first=0, count=2))

    assert child.rest() == [Ready(), Found(1, 0, 2, b"true\ntrue\n", b"2")]


def test_a_dry_run_is_certain_and_names_do_not_matter(child: Child, jobs: str) -> None:
    dry = msgspec.structs.replace(begin(FileJob(jobs, "write")), dry_run=True)
    child.tell(dry, Chunk(number=1, first=0, count=1, addresses=["null-00000001"]))

    assert child.rest() == [Ready(), Found(1, 0, 1, b"[1,true]\n", b"null")]


def test_a_worker_that_is_asked_to_leave_says_so_and_leaves_what_it_has_not_begun(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "number")))
    child.hear()

    child.slots.stop(0)
    child.tell(Chunk(number=1, first=0, count=3), Chunk(number=2, first=3, count=3))

    assert child.hear() == Leaving("it was asked to")
    assert child.end() == (0, "", "imported\n")
    assert child.slots.at(0) is None


def test_a_worker_counts_its_round_trips_in_its_slot(child: Child) -> None:
    job = begin(ModuleJob("workers.jobs.census", "census"), server="sim:100?folders=10")
    child.tell(job, Chunk(number=1, first=0, count=10))
    child.rest()

    assert child.slots.beats(0) == 1 + 2 * 10 + 1  # connect, two for a census of ten folders each, disconnect


def test_the_stacks_of_a_worker_can_be_had_while_it_is_at_work(child: Child, jobs: str) -> None:
    child.tell(begin(FileJob(jobs, "number")))
    child.hear()

    child.process.send_signal(DUMP)
    child.tell(Chunk(number=1, first=0, count=1))

    assert child.rest() == [Found(1, 0, 1, b"0\n", b"0")]
    assert "in main" in child.end()[2]
