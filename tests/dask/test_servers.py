"""Several servers on one cluster: what each gives there is what it gives at home, whatever becomes of the other one."""

from __future__ import annotations

import pytest

import fanout
from fanout import Policy
from fanout.engines.cluster import Certificates, Cluster
from fanout.policy import MaxFailures
from fanout.workplace import THIS_MACHINE, Workplace
from tests.dask import clusters

pytestmark = pytest.mark.spawns

QUIET = "sim:60?messages=3"
FAULTY = "sim:40?messages=3&seed=2&missing=0.1&denied=0.1&busy=0.1&drop=0.1"
REFUSES = "sim:40?seed=2&account=refused"

#: So that a busy mailbox is asked again at once.
HASTY = Policy(backoff=0.01)


def both(workplace: Workplace, other: str, policy: Policy = HASTY) -> fanout.Found:
    """A census of a quiet server and of another one."""
    return fanout.run("census", server=[QUIET, other], workers=1, chunk_size=10, policy=policy, workplace=workplace)


def outcomes(found: fanout.Found) -> list[tuple[object, ...]]:
    return [
        (each.server, each.mailbox, each.ok, each.result, each.attempts, each.error and each.error.cause)
        for each in found
    ]


def test_each_of_two_servers_one_with_faults_gives_what_it_gives_at_home(dask: clusters.Cluster) -> None:
    with Cluster.at(dask.scheduler, Certificates(), "census") as cluster:
        there = both(cluster, FAULTY)
    here = both(THIS_MACHINE, FAULTY)

    assert outcomes(there) == outcomes(here)
    assert there.totals == here.totals
    assert (len(here), len(here.failed) > 0) == (100, True)


@pytest.mark.parametrize(
    ("other", "policy"),
    [(REFUSES, HASTY), (FAULTY, Policy(backoff=0.01, max_failures=MaxFailures(number=0)))],
    ids=["refuses the account", "fails too much"],
)
def test_a_server_that_is_given_up_does_not_stop_the_other_one(
    dask: clusters.Cluster, other: str, policy: Policy
) -> None:
    with Cluster.at(dask.scheduler, Certificates(), "census") as cluster:
        found = both(cluster, other, policy)

    done = [each for each in found if each.server == QUIET]
    assert [each.ok for each in done] == [True] * 60
    assert len(found) < 100
    assert getattr(found.stopped_by, "type", "") == "ServersGivenUp"
    assert f"1 of 2 servers given up: {other} (" in getattr(found.stopped_by, "message", "")
