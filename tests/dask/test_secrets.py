"""A password goes to a Dask worker by the line to its berth alone: no task, no log, no scheduler and no list of processes has it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import trustme

from fanout.conduct import Workforce
from fanout.engines.berth import Manner
from fanout.engines.cluster import Certificates, Cluster, is_private
from fanout.engines.dask import DaskEngine
from fanout.errors import UsageError
from fanout.events import Heard
from tests.chaos.running import Running
from tests.dask import clusters
from tests.mapi.http.webs import web
from tests.test_engine import begin
from tests.test_secrets import NAMES, USER, Place, shapes
from workers.access import Access
from workers.messages import Ready
from workers.simulated.web import Account

pytestmark = pytest.mark.spawns

LIMIT = 60.0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_run_leaves_its_secret_nowhere(place: Place, dask: clusters.Cluster) -> None:
    (place.folder / "names.txt").write_text("\n".join(NAMES))
    with web("sim:4", account=Account(USER, place.secret)) as server:
        chosen = ["--mailboxes-from", "names.txt", "--user", USER, "--password-file", str(place.file), "--retries", "0"]
        there = ["--engine", "dask", "--scheduler", dask.scheduler, "-o", "found.jsonl", "--run-file", "r.fanout"]
        done = place.run("-m", "fanout", "run", "job.py:spy", "--server", server.url, *chosen, *there)

    assert done.stderr.splitlines()[-1] == "2 done, 2 failed, of 4"
    assert "--password-file" in (place.folder / "found.jsonl").read_text()  # the job did see other processes
    assert place.traces(done) == []
    log = dask.log.read_bytes()
    assert b"Connection from" in log  # Dask did tell all that it can
    assert not any(each in log for each in shapes(place.secret))


def test_what_a_cluster_knows_of_a_run_has_no_secret(place: Place, dask: clusters.Cluster) -> None:
    with (
        web("sim:4", account=Account(USER, place.secret)) as server,
        Cluster.at(dask.scheduler, Certificates(), "a test") as cluster,
    ):
        engine = cluster.engine(Workforce(1))
        engine.start(0, msgspec.structs.replace(begin("hang", server.url), access=Access(USER, place.secret)))
        assert engine.wait(LIMIT) == [Heard(0, Ready())]

        cluster._client.dump_cluster_state(str(place.folder / "state"), format="yaml")
        engine.close()

    state = (place.folder / "state.yaml").read_bytes()
    assert b"fanout worker 0 of a test" in state
    assert not any(each in state for each in shapes(place.secret))


class Listened:
    """A cluster on a network where others may listen."""

    is_private = False


def test_a_password_crosses_no_network_without_tls_unless_its_owner_consents() -> None:
    engine = DaskEngine(Listened(), Manner(), "a test")  # type: ignore[arg-type] # it is asked for nothing else

    with pytest.raises(
        UsageError, match="over a network without TLS; use a cluster with TLS, or consent with --plaintext"
    ):
        engine.start(0, msgspec.structs.replace(begin("number"), access=Access(USER, "secret")))
    engine.close()


@pytest.mark.parametrize(
    ("addresses", "private"),
    [
        (["tcp://127.0.0.1:8786", "tcp://[::1]:4000"], True),
        (["tls://10.0.0.1:8786", "tls://10.0.0.2:4000"], True),
        (["tcp://127.0.0.1:8786", "tcp://10.0.0.2:4000"], False),
        (["tcp://10.0.0.1:8786"], False),
        (["ws://10.0.0.1:8786"], False),
        (["inproc://10.0.0.1/123/1"], True),
    ],
)
def test_a_line_is_private_that_is_encrypted_or_never_leaves_the_machine(addresses: list[str], private: object) -> None:
    assert all(map(is_private, addresses)) is private


def test_a_cluster_with_tls_takes_those_who_can_show_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    pem, ours = tmp_path / "all.pem", tmp_path / "ours"
    ours.mkdir()
    authority.issue_cert("dask.example").private_key_and_cert_chain_pem.write_to_path(str(pem))
    authority.cert_pem.write_to_path(str(pem), append=True)
    words = ["run", "census", "--server", "sim:20", "--engine", "dask"]
    certificates = ["--tls-ca", str(pem), "--tls-cert", str(pem), "--tls-key", str(pem)]
    with clusters.Cluster(tmp_path, nannies=1, pem=str(pem)) as cluster:
        code, said = Running(ours, *words, "--scheduler", cluster.scheduler, *certificates).finish()
        with Cluster.at(cluster.scheduler, Certificates(*3 * [str(pem)]), "a test") as connected:
            private = connected.is_private

    assert cluster.scheduler.startswith("tls://")
    assert (code, said.splitlines()[-1]) == (0, "20 done, 0 failed, of 20")
    assert private
