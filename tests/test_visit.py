from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import FakeClock, FakeSession, empty_slot
from workers import totals
from workers.causes import Cause, MailboxError
from workers.mailbox import Mailbox
from workers.messages import Chunk, Failed, Found, Leaving, Printed, ToParent, Unable
from workers.output import Output
from workers.slots import NOWHERE, STOP
from workers.visit import (
    FLUSH_BYTES,
    FLUSH_SECONDS,
    LONGEST_STRIDE,
    QUICK_BYTES,
    QUICK_SECONDS,
    WEIGH_SECONDS,
    Muted,
    RecordsRecorder,
    ResultsRecorder,
    Terms,
    Visitor,
)

Job = Callable[[Mailbox], object]
MakeRecorder = type[RecordsRecorder] | type[ResultsRecorder]

RECORDERS = pytest.mark.parametrize("recorder", [RecordsRecorder, ResultsRecorder])

PLAIN = Terms()

MISSING = MailboxError("no such mailbox", Cause.MISSING)


class StridesNoted(ResultsRecorder):
    """Notes how many mailboxes each stride had."""

    def __init__(self, job: Job, clock: Callable[[], float]) -> None:
        super().__init__(job, clock)
        self.strides: list[int] = []

    def take(self, mailboxes: Iterator[Mailbox], attempt: int, entries: list[object]) -> None:
        super().take(mailboxes, attempt, entries)
        self.strides.append(len(entries))


class Scene:
    """A worker without its pipe: a job, a session, a slot, and a clock that the job moves."""

    def __init__(self, job: Job, recorder: MakeRecorder = RecordsRecorder, terms: Terms = PLAIN) -> None:
        self.clock = FakeClock()
        self.session = FakeSession(self.clock)
        self.slot = empty_slot()
        self.output = Output(self.slot)
        self.recorder = recorder(job, self.clock)
        self.visitor = Visitor(self.session, self.recorder, self.slot, self.output, terms)
        self.visitor._clock = self.clock

    def visit(self, count: int, first: int = 0) -> list[list[ToParent]]:
        """What is told of a chunk, write by write; writes of nothing are left out."""
        return self.visit_chunk(Chunk(number=1, first=first, count=count))

    def visit_chunk(self, chunk: Chunk) -> list[list[ToParent]]:
        return [told for told in self.visitor.visit(chunk) if told]


def ordinal_of(mailbox: Mailbox) -> int:
    """The simplest of jobs: every mailbox gives its own ordinal."""
    return int(mailbox.address)


def decoded(found: Found) -> list[object]:
    """The results in the lines of a Found."""
    lines = [msgspec.json.decode(line) for line in found.lines.splitlines()]
    assert len(lines) == found.count
    return [line["result"] if isinstance(line, dict) and "mailbox" in line else line for line in lines]


def outcomes(told: list[list[ToParent]]) -> list[tuple[int, object]]:
    """(ordinal, result or cause) of every mailbox, in the order in which it was told."""
    each: list[tuple[int, object]] = []
    for message in (message for write in told for message in write):
        if isinstance(message, Found):
            each += enumerate(decoded(message), message.first)
        elif isinstance(message, Failed):
            each.append((message.ordinal, message.error.cause))
    return each


def kinds(told: list[list[ToParent]]) -> list[list[str]]:
    return [[type(message).__name__ for message in write] for write in told]


def only_failure(told: list[list[ToParent]]) -> Failed:
    (failed,) = [message for write in told for message in write if isinstance(message, Failed)]
    return failed


# every mailbox once


class Fate(Enum):
    """What can become of a mailbox."""

    WELL = auto()
    SLOW = auto()
    LONG = auto()
    REFUSED = auto()
    FORGOTTEN = auto()
    RAISES = auto()
    EXITS = auto()
    INTERRUPTS = auto()
    UNWRITABLE = auto()
    LARGE = auto()


#: Bytes of the largest result. The records of a stride together may well have more, which must do no harm.
LARGEST = 1000

RAISED: dict[Fate, BaseException] = {
    Fate.RAISES: ValueError("no"),
    Fate.EXITS: SystemExit(3),
    Fate.INTERRUPTS: KeyboardInterrupt(),
}

CAUSES = {
    Fate.REFUSED: Cause.MISSING,
    Fate.FORGOTTEN: Cause.JOB,
    Fate.RAISES: Cause.JOB,
    Fate.EXITS: Cause.JOB,
    Fate.INTERRUPTS: Cause.JOB,
    Fate.UNWRITABLE: Cause.RESULT,
    Fate.LARGE: Cause.RESULT,
}

#: Seconds that a job takes.
COSTS = {Fate.SLOW: 2 * QUICK_SECONDS, Fate.LONG: 2 * FLUSH_SECONDS}


@dataclass
class FatefulJob:
    """Does at each mailbox what its fate says, on the clock that it is given before the first."""

    fates: dict[int, Fate]
    clock: FakeClock

    def __call__(self, mailbox: Mailbox) -> object:
        ordinal = ordinal_of(mailbox)
        fate = self.fates[ordinal]
        if fate in RAISED:
            raise RAISED[fate]
        self.clock.advance(COSTS.get(fate, 0.0))
        return {Fate.UNWRITABLE: object(), Fate.LARGE: "x" * LARGEST}.get(fate, ordinal)


def fateful_scene(fates: dict[int, Fate], recorder: MakeRecorder) -> Scene:
    job = FatefulJob(fates, FakeClock())
    scene = Scene(job, recorder, Terms(max_result=LARGEST))
    job.clock = scene.clock
    scene.session.refusals = {ordinal: MISSING for ordinal, fate in fates.items() if fate is Fate.REFUSED}
    scene.session.ends_at = {ordinal for ordinal, fate in fates.items() if fate is Fate.FORGOTTEN}
    return scene


@RECORDERS
@settings(derandomize=True, deadline=None)
@given(fates=st.lists(st.just(Fate.WELL) | st.sampled_from(Fate), min_size=1, max_size=60), first=st.integers(0, 10))
def test_every_mailbox_is_told_of_once_and_in_order_whatever_fails(
    recorder: MakeRecorder, fates: list[Fate], first: int
) -> None:
    by_ordinal = dict(enumerate(fates, first))
    scene = fateful_scene(by_ordinal, recorder)

    told = scene.visit(len(fates), first)

    assert outcomes(told) == [(ordinal, CAUSES.get(fate, ordinal)) for ordinal, fate in by_ordinal.items()]
    assert scene.session.closed == scene.session.opened
    assert scene.slot[0] == NOWHERE


def test_a_mailbox_that_cannot_be_opened_never_reaches_the_job() -> None:
    seen: list[int] = []
    scene = Scene(lambda mailbox: seen.append(ordinal_of(mailbox)))
    scene.session.refusals = {0: MISSING, 3: MISSING}

    scene.visit(5)

    assert seen == [1, 2, 4]


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), StopIteration(), MemoryError()], ids=repr
)
def test_whatever_a_job_raises_is_the_failure_of_its_mailbox(error: BaseException) -> None:
    def job(mailbox: Mailbox) -> int:
        if mailbox.address == "1":
            raise error
        return 0

    told = Scene(job).visit(3)

    assert outcomes(told) == [(0, 0), (1, Cause.JOB), (2, 0)]
    assert only_failure(told).error.type == type(error).__name__


@RECORDERS
def test_a_session_that_ends_its_walk_early_costs_one_mailbox(recorder: MakeRecorder) -> None:
    scene = Scene(ordinal_of, recorder)
    scene.session.ends_at = {2}

    told = scene.visit(4)

    assert outcomes(told) == [(0, 0), (1, 1), (2, Cause.JOB), (3, 3)]
    assert only_failure(told).error.message == "the job raised StopIteration, or its session ended before the chunk did"


def test_the_traceback_of_a_failure_begins_within_the_job() -> None:
    def job(mailbox: Mailbox) -> int:
        return 1 // int(mailbox.address)

    traceback = only_failure(Scene(job).visit(1)).error.traceback

    assert traceback is not None
    assert "in job" in traceback.splitlines()[1]
    assert "visit.py" not in traceback.splitlines()[1].replace("test_visit.py", "")


def test_a_result_that_json_cannot_say_fails_its_mailbox_alone() -> None:
    results = [1, object(), {"a": {1: "x"}}, "\ud800", 2]
    scene = Scene(lambda mailbox: results[ordinal_of(mailbox)])

    told = scene.visit(5)

    assert outcomes(told) == [(0, 1), (1, Cause.RESULT), (2, {"a": {"1": "x"}}), (3, Cause.RESULT), (4, 2)]


@RECORDERS
def test_a_result_that_is_too_large_says_how_large(recorder: MakeRecorder) -> None:
    told = Scene(lambda _: "x" * 2000, recorder, Terms(max_result=1000)).visit(1)

    assert outcomes(told) == [(0, Cause.RESULT)]
    assert "bytes as JSON, more than the 1,000 allowed" in only_failure(told).error.message


# what is told


def test_a_quick_chunk_is_told_in_one_piece() -> None:
    told = Scene(ordinal_of, ResultsRecorder).visit(5, first=10)

    assert told == [[Found(chunk=1, first=10, count=5, lines=b"10\n11\n12\n13\n14\n", total=b"60")]]


def test_a_failure_parts_what_was_found_before_it_from_what_was_found_behind() -> None:
    scene = Scene(ordinal_of, ResultsRecorder)
    scene.session.refusals = {2: MISSING}

    (told,) = scene.visit(4)

    assert [told[0], told[2]] == [Found(1, 0, 2, b"0\n1\n", b"1"), Found(1, 3, 1, b"3\n", b"3")]
    assert isinstance(told[1], Failed)


def test_neighbours_that_fail_leave_nothing_found() -> None:
    scene = Scene(ordinal_of)
    scene.session.refusals = dict.fromkeys(range(3), MISSING)

    assert kinds(scene.visit(3)) == [["Failed", "Failed", "Failed"]]


def test_a_record_tells_mailbox_result_attempts_and_seconds() -> None:
    scene = Scene(lambda _: {"messages": 3})

    ((found,),) = scene.visit_chunk(Chunk(number=7, first=4, count=1, attempt=2, addresses=["zoë@example.org"]))

    assert isinstance(found, Found)
    assert (found.chunk, found.first, found.count, found.total) == (7, 4, 1, b'{"messages":3}')
    assert found.lines.decode() == (
        '{"mailbox":"zoë@example.org","ok":true,"result":{"messages":3},"attempts":2,"seconds":0.0}\n'
    )


def test_a_newline_in_a_result_does_not_break_its_line() -> None:
    ((found,),) = Scene(lambda _: "two\nlines\r\n", ResultsRecorder).visit(2)

    assert isinstance(found, Found)
    assert found.lines == b'"two\\nlines\\r\\n"\n' * 2


@RECORDERS
def test_the_total_of_a_finding_is_the_fold_of_its_results(recorder: MakeRecorder) -> None:
    scene = Scene(lambda mailbox: {"messages": ordinal_of(mailbox), "newest": "2001"}, recorder)
    scene.session.refusals = {10: MISSING}

    found = [message for write in scene.visit(20) for message in write if isinstance(message, Found)]

    assert len(found) == 2
    assert [msgspec.json.decode(each.total) for each in found] == [totals.fold(decoded(each)) for each in found]


def test_names_that_were_given_are_the_ones_that_are_visited_also_behind_a_failure() -> None:
    scene = Scene(lambda mailbox: mailbox.address, ResultsRecorder)
    scene.session.refusals = {11: MISSING}

    told = scene.visit_chunk(Chunk(number=1, first=10, count=3, addresses=["anna", "berta", "clara"]))

    assert outcomes(told) == [(10, "anna"), (11, Cause.MISSING), (12, "clara")]


def test_what_a_job_prints_comes_before_the_finding_of_its_mailbox() -> None:
    scene = Scene(lambda mailbox: print("at", mailbox.address, file=scene.output), ResultsRecorder)

    (told,) = scene.visit(2, first=5)

    assert told[:2] == [Printed(5, "at 5\n"), Printed(6, "at 6\n")]
    assert isinstance(told[2], Found)


# seconds


def test_seconds_run_from_the_end_of_the_mailbox_before() -> None:
    scene = Scene(lambda _: scene.clock.advance(0.25))
    scene.session.opening, scene.session.closing = 1.0, 2.0

    found = [message for write in scene.visit(3) for message in write]
    seconds = [msgspec.json.decode(each.lines)["seconds"] for each in found if isinstance(each, Found)]

    assert seconds == [1.25, 3.25, 3.25]


@RECORDERS
def test_a_failure_has_the_seconds_of_its_own_attempt(recorder: MakeRecorder) -> None:
    scene = Scene(lambda _: scene.clock.advance(0.25), recorder)
    scene.session.opening = 1.0
    scene.session.refusals = {1: MISSING}

    assert only_failure(scene.visit(3)).seconds == 1.0


def test_a_result_that_cannot_be_written_has_the_seconds_of_its_job() -> None:
    def job(_: Mailbox) -> object:
        scene.clock.advance(0.5)
        return object()

    scene = Scene(job)

    assert only_failure(scene.visit(1)).seconds == 0.5


# strides and flushes


def strides_of(job: Job, count: int) -> list[int]:
    scene = Scene(job, StridesNoted)
    scene.visit(count)
    return noted(scene)


def noted(scene: Scene) -> list[int]:
    assert isinstance(scene.recorder, StridesNoted)
    return scene.recorder.strides


def test_a_stride_doubles_while_mailboxes_are_quick() -> None:
    assert strides_of(ordinal_of, 31) == [1, 2, 4, 8, 16]


def test_no_stride_is_longer_than_the_longest() -> None:
    strides = strides_of(ordinal_of, 5 * LONGEST_STRIDE)

    assert max(strides) == LONGEST_STRIDE
    assert sum(strides) == 5 * LONGEST_STRIDE


def test_a_stride_is_one_mailbox_where_mailboxes_take_a_millisecond() -> None:
    scene = Scene(lambda _: scene.clock.advance(2 * QUICK_SECONDS), StridesNoted)

    scene.visit(5)

    assert noted(scene) == [1, 1, 1, 1, 1]


def test_a_stride_halves_when_mailboxes_become_slow() -> None:
    def job(mailbox: Mailbox) -> None:
        scene.clock.advance(2 * QUICK_SECONDS if ordinal_of(mailbox) >= 7 else 0.0)

    scene = Scene(job, StridesNoted)
    scene.visit(25)

    assert noted(scene) == [1, 2, 4, 8, 4, 2, 1, 1, 1, 1]


def test_a_stride_halves_when_results_become_large() -> None:
    strides = strides_of(lambda mailbox: "x" * QUICK_BYTES if ordinal_of(mailbox) >= 3 else 0, 10)

    assert strides == [1, 2, 4, 2, 1]


def test_what_is_found_is_told_when_the_time_has_come() -> None:
    scene = Scene(lambda _: scene.clock.advance(0.6 * FLUSH_SECONDS))

    told = scene.visit(5)

    assert [message.count for write in told for message in write if isinstance(message, Found)] == [2, 2, 1]
    assert kinds(told) == [["Found"], ["Found"], ["Found"]]


def test_a_failure_is_told_when_the_time_has_come() -> None:
    scene = Scene(ordinal_of)
    scene.session.opening = FLUSH_SECONDS
    scene.session.refusals = {0: MISSING}

    assert kinds(scene.visit(2)) == [["Failed"], ["Found"]]


def test_much_that_is_found_is_told_before_its_time() -> None:
    told = Scene(lambda _: "x" * FLUSH_BYTES).visit(3)

    assert [message.count for write in told for message in write if isinstance(message, Found)] == [1, 1, 1]


def test_a_stride_goes_on_in_the_next_chunk_where_it_was_in_the_last() -> None:
    scene = Scene(ordinal_of, StridesNoted)
    scene.visit(7)
    scene.visit(8, first=7)

    assert noted(scene) == [1, 2, 4, 8]


@RECORDERS
def test_a_job_that_raises_stop_iteration_shifts_no_result(recorder: MakeRecorder) -> None:
    def job(mailbox: Mailbox) -> int:
        return next(iter([])) if mailbox.address == "2" else ordinal_of(mailbox)

    told = Scene(job, recorder).visit(8)

    assert outcomes(told) == [(0, 0), (1, 1), (2, Cause.JOB), *((ordinal, ordinal) for ordinal in range(3, 8))]


def test_what_is_printed_at_the_last_log_off_comes_before_the_last_finding() -> None:
    scene = Scene(lambda _: scene.clock.advance(2 * FLUSH_SECONDS))
    scene.session.at_log_off = lambda: scene.output.write("log-off\n")

    assert kinds(scene.visit(1)) == [["Printed", "Found"]]


def test_large_results_of_a_long_stride_go_in_several_findings() -> None:
    told = Scene(lambda mailbox: "x" * 2**20 if ordinal_of(mailbox) >= 15 else 0, ResultsRecorder).visit(31)

    assert max(len(message.lines) for write in told for message in write if isinstance(message, Found)) <= 17 * 2**20


# leaving


def leaving(told: list[list[ToParent]]) -> str:
    """Why the worker leaves, which is the last thing told."""
    last = told[-1][-1]
    assert isinstance(last, Leaving)
    return last.why


def test_a_worker_that_is_asked_to_leave_begins_nothing_more() -> None:
    def job(mailbox: Mailbox) -> int:
        if mailbox.address == "4":
            scene.slot[STOP] = 1
        return ordinal_of(mailbox)

    scene = Scene(job, StridesNoted)

    told = scene.visit(100)

    assert outcomes(told) == [(ordinal, ordinal) for ordinal in range(7)]  # to the end of the stride that it was in
    assert leaving(told) == "it was asked to"
    assert scene.session.closed == scene.session.opened
    assert scene.slot[0] == NOWHERE


def test_a_worker_that_is_asked_before_a_chunk_opens_nothing_of_it() -> None:
    scene = Scene(ordinal_of)
    scene.slot[STOP] = 1

    told = scene.visit(5)

    assert told == [[Leaving("it was asked to")]]
    assert scene.session.opened == []


def test_a_failure_is_told_before_the_worker_leaves() -> None:
    def job(_: Mailbox) -> None:
        scene.slot[STOP] = 1
        raise ValueError

    scene = Scene(job)

    assert kinds(scene.visit(3)) == [["Failed", "Leaving"]]


def weighing_scene(held: int) -> Scene:
    """Mailboxes that take as long as it is between two looks at the memory, which is `held` and may be 1000."""
    scene = Scene(lambda _: scene.clock.advance(WEIGH_SECONDS), terms=Terms(max_rss=1000, resident=lambda: held))
    scene.visitor._weighed = scene.clock()
    return scene


def test_a_worker_whose_memory_has_grown_too_large_leaves() -> None:
    told = weighing_scene(1001).visit(5)

    assert outcomes(told) == [(0, None)]
    assert leaving(told) == "its memory has grown to 1,001 bytes; it is to stay below 1,000"


def test_a_worker_whose_memory_is_within_its_limit_stays() -> None:
    assert len(outcomes(weighing_scene(1000).visit(5))) == 5


def test_the_memory_is_looked_at_now_and_then_only() -> None:
    looks: list[float] = []

    def resident() -> int:
        looks.append(scene.clock())
        return 0

    scene = Scene(lambda _: scene.clock.advance(0.3 * WEIGH_SECONDS), terms=Terms(max_rss=1000, resident=resident))
    scene.visitor._weighed = scene.clock()
    scene.visit(9)

    assert len(looks) == 2


def test_a_worker_that_is_not_heard_any_more_stays_at_the_last_suspect() -> None:
    scene = Scene(ordinal_of, StridesNoted, Terms(heard=lambda: scene.session.opened[-1] < 10))

    with pytest.raises(Muted):
        scene.visit(100)

    assert noted(scene) == [1, 2, 4, 8]
    assert scene.slot[0] == 14


@RECORDERS
def test_one_by_one_each_mailbox_is_told_of_before_the_next_is_begun(recorder: MakeRecorder) -> None:
    scene = Scene(ordinal_of, recorder, Terms(one_by_one=True))
    scene.session.refusals = {1: MISSING}

    begun_when_told = [list(scene.session.opened) for told in scene.visitor.visit(Chunk(1, 0, 4)) if told]

    assert begun_when_told == [[0], [0], [0, 2], [0, 2, 3]]


@RECORDERS
def test_a_job_that_may_have_written_before_it_failed_is_not_called_again(recorder: MakeRecorder) -> None:
    def cut_off(mailbox: Mailbox) -> int:
        raise MailboxError("cut off", Cause.UNREACHABLE if mailbox.address == "0" else Cause.BUSY)

    scene = Scene(cut_off, recorder, Terms(one_by_one=True))
    scene.session.refusals = {2: MailboxError("not now", Cause.BUSY)}

    failed = [each for told in scene.visitor.visit(Chunk(1, 0, 3)) for each in told if isinstance(each, Failed)]

    assert [(each.error.cause, each.error.retryable) for each in failed] == [
        (Cause.UNREACHABLE, False),
        (Cause.BUSY, False),
        (Cause.BUSY, True),  # it was not opened, so nothing was written
    ]


@RECORDERS
def test_an_account_that_is_refused_in_the_middle_is_not_tried_again_and_costs_no_mailbox(
    recorder: MakeRecorder,
) -> None:
    scene = Scene(ordinal_of, recorder)
    scene.session.refusals = {2: MailboxError("expired", Cause.CREDENTIALS)}

    *told, unable = [message for told in scene.visit(5) for message in told]

    assert [(found.first, found.count) for found in told if isinstance(found, Found)] == [(0, 2)]
    assert len(told) == 1
    assert isinstance(unable, Unable)
    assert (unable.error.cause, unable.error.message) == (Cause.CREDENTIALS, "expired")
    assert scene.session.opened == [0, 1]
    assert scene.slot[0] == NOWHERE
