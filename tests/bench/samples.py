"""Samples and documents of benches that never were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from fanout.bench.document import Document, Subject
from fanout.bench.host import Host, Moment
from fanout.bench.rounds import Ending
from fanout.bench.settings import Setting
from fanout.bench.verdict import Sample, verdict


def sample(wall: float, failed: int = 0) -> Sample:
    return Sample(wall, cpu=wall / 2, first=wall / 4, peak=28.0, mailboxes=100, failed=failed)


def rounds(*walls: Sequence[float]) -> list[dict[int, Sample]]:
    """A round for each sequence, which holds the seconds of each setting."""
    return [dict(enumerate(map(sample, each))) for each in walls]


def document(settings: Sequence[Setting], measured: Sequence[Mapping[int, Sample]]) -> Document:
    return Document(
        subject=Subject("census", "workers.jobs.census:census", "0" * 64, {}, "sim:100", 100, "computed", "2" * 64),
        host=Host("Some Chip", 2, None, None, "Linux", "6.1", "3.11.7"),
        versions={"fanout": "0.1.0"},
        code="1" * 64,
        begun=Moment("2026-11-25T12:00:00+00:00", 0.5),
        ended=Moment("2026-11-25T12:01:00+00:00", 1.5),
        ending=Ending.CLEAR,
        seed=0,
        settings=list(settings),
        rounds=[dict(each) for each in measured],
        verdict=verdict(measured, len(settings), seed=0),
    )


def slower(document: Document, times: float) -> Document:
    """The same bench on a day when everything took so many times as long."""
    measured = [
        {place: msgspec.structs.replace(each, wall=each.wall * times) for place, each in samples.items()}
        for samples in document.rounds
    ]
    return msgspec.structs.replace(document, rounds=measured)
