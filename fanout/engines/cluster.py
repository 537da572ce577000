"""A Dask cluster as a workplace: which of its Dask workers has a free session, and the ways to get there.

Sessions are a resource of the Dask worker, by which whoever runs the cluster says how many it may hold. The scheduler never
gives one session to two tasks, but it would have a task wait for one that is taken while another one is free; so the Dask
worker is chosen here, among those where one is free.

The client of Dask has a thread of its own, in which its event loop runs: coroutines of this module run there, everything else
in the thread of the run. The scheduler hears the names of the tasks, and nothing of what they do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
from distributed import Client, LocalCluster, Security, wait
from distributed.comm import connect, get_address_host
from distributed.core import send_recv

from fanout.engines import berth
from fanout.engines.dask import TASK, DaskEngine
from fanout.engines.hosting import RESOURCE, Hosting, Question, in_words, release, versions
from fanout.engines.line import NoSessionError, reason
from fanout.errors import StoppedError, UsageError
from workers.urls import is_loopback

if TYPE_CHECKING:
    from concurrent.futures import Future

    from fanout.conduct import Workforce

#: Has the Dask workers of a cluster of our own ignore what a terminal sends to all: the parent decides.
DEAF = "import signal\nfor asked in (signal.SIGINT, signal.SIGHUP):\n    signal.signal(asked, signal.SIG_IGN)\n"

#: What a task does. A text, for the scheduler looks into tasks, and need not have fanout.
LEND = "__import__('fanout.engines.berth', fromlist=['lend']).lend(name, *manner)"

#: Seconds to wait for a scheduler to answer.
CONNECT = 20

#: Seconds for which a port that refuses is called: its Dask worker may have died just now, and nobody else may know yet.
CALL = 3

#: Seconds between two looks for a free session, and looks that find none while nobody works after which it is given up.
LOOK, MOST_LOOKS = 1.0, 300


@dataclass(frozen=True, slots=True)
class Certificates:
    """How TLS is spoken with the cluster: files in PEM; None for what Dask's own configuration says."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def security(self) -> Security:
        """Raises OSError that names the file which can't be read."""
        given = {"tls_ca_file": self.ca, "tls_client_cert": self.cert, "tls_client_key": self.key}
        said = {name: file for name, file in given.items() if file is not None}
        for file in said.values():
            Path(file).read_bytes()  # TLS itself does not say which of them it could not read
        return Security(require_encryption=True, **said) if said else Security()


class Cluster:
    """A connection to a Dask cluster. A context manager: on leaving it the connection is closed, and so is a cluster of one's own."""

    def __init__(self, client: Client, purpose: str, own: LocalCluster | None = None) -> None:
        """`purpose`: what the workers are for, as Dask's dashboard shows it. `own`: the cluster, where it was started here.

        Raises UsageError for a cluster without free sessions, or with another fanout; StoppedError where it does not answer.
        """
        self._client = client
        self._own = own
        self._purpose = purpose
        self._hostings: dict[str, Hosting] = {}
        #: The names of our tasks, by the address of their Dask worker.
        self._lent: defaultdict[str, set[str]] = defaultdict(set)
        #: Times that a line to a Dask worker was lost.
        self._losses: Counter[str] = Counter()
        #: Whether everything between here and the cluster is encrypted, or stays on this machine.
        self.is_private = is_private(client.scheduler.address)
        self.loop: asyncio.AbstractEventLoop = client.loop.asyncio_loop
        try:
            self._free: int = self.run(self._first_look()).result()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise StoppedError(f"the Dask cluster does not tell what it has: {error!r}") from error
            raise

    @classmethod
    def at(cls, scheduler: str, certificates: Certificates, purpose: str) -> Cluster:
        """The cluster of a scheduler. Raises UsageError, and StoppedError when it can't be reached."""
        try:
            security = certificates.security()
            arguments = security.get_connection_args("client")
        except (OSError, ValueError) as error:
            raise UsageError(f"--tls-ca, --tls-cert, --tls-key: TLS can't be spoken with these: {error}") from error
        try:
            with ThreadPoolExecutor(1) as pool:  # whoever calls may have an event loop of its own
                pool.submit(asyncio.run, _knock(scheduler, arguments)).result()
        except TypeError as error:
            raise UsageError(
                f"--scheduler {scheduler}: TLS takes --tls-ca and --tls-cert, or Dask's own setting of them"
            ) from error
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"--scheduler {scheduler}: {error}") from error
        except OSError as error:
            raise StoppedError(f"the Dask scheduler at {scheduler} can't be reached: {reason(error)}") from error
        client = Client(scheduler, security=security, set_as_default=False, timeout=CONNECT, name="fanout")
        return cls(client, purpose)

    @classmethod
    def local(cls, dask_workers: int, sessions: int, purpose: str) -> Cluster:
        """A cluster on this machine, on loopback, with so many Dask workers of so many sessions each."""
        own = LocalCluster(
            n_workers=dask_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            resources={RESOURCE: sessions},
            silence_logs=logging.CRITICAL,  # at the end its parts miss each other, which is nobody's trouble
            preload=[DEAF],
        )
        return cls(Client(own, set_as_default=False, name="fanout"), purpose, own)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()
        if self._own:
            self._own.close()

    # --- as a workplace -----------------------------------------------------------------------------------------------

    @property
    def workers(self) -> int:
        """Sessions that were free when the connection was made."""
        return self._free

    @property
    def dashboard(self) -> str:
        """Where Dask shows the work."""
        return str(self._client.dashboard_link)

    def share_of_memory(self, workers: int) -> int | None:  # noqa: ARG002 - here it is the sessions that share it
        """Bytes that each worker may grow to, so that all sessions of a machine stay within its limit; None without one."""
        sessions: defaultdict[str, int] = defaultdict(int)
        for hosting in self._hostings.values():
            sessions[hosting.machine] += hosting.sessions
        shares = [each.memory // (sessions[each.machine] + 1) for each in self._hostings.values() if each.memory]
        return min(shares, default=None)

    def engine(self, force: Workforce) -> DaskEngine:
        """What gives workers to a run. Raises UsageError for more of them than there are free sessions."""
        self.make_room(force.workers)
        return DaskEngine(self, berth.Manner(force.concurrency, force.start_method), self._purpose)

    def make_room(self, workers: int) -> None:
        """Raise UsageError for more workers than there were free sessions."""
        if workers > self._free:
            raise UsageError(
                f"{workers:,} workers need as many sessions, and the cluster has {self._free:,} that are free; "
                f"ask for fewer, or start more with: {self._advice}"
            )

    @property
    def _advice(self) -> str:
        return f"dask worker {self._client.scheduler.address} --resources {RESOURCE}=N"

    # --- in the thread of the client ----------------------------------------------------------------------------------

    def run(self, coroutine: Any) -> Future[Any]:  # noqa: ANN401 - a coroutine of any kind
        """Have it run in the event loop of the client."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    async def _first_look(self) -> int:
        """Free sessions. Raises UsageError where there are none, or for a Dask worker that has another fanout."""
        seen = await self._look()
        for address, hosting in seen.items():
            _check(address, hosting)
        self.is_private = self.is_private and all(map(is_private, seen))
        self._welcome(seen)
        sessions = sum(hosting.sessions for hosting in self._hostings.values())
        if not sessions:
            raise UsageError(f"no worker of the Dask cluster has sessions to give; start some with: {self._advice}")
        free = sum((await self._free_sessions()).values())
        if not free:
            raise UsageError(
                f"all {sessions:,} sessions of the Dask cluster are taken; start more with: {self._advice}"
            )
        return free

    async def _look(self) -> dict[str, Hosting]:
        """Look at the Dask workers that have come, and forget those that have gone; what the new ones say, as far as they answer."""
        there = set(await self._client.scheduler.ncores())
        for address in self._hostings.keys() - there:
            del self._hostings[address]
        new = list(there - self._hostings.keys())
        asking = self._client.run(Question(), versions(), RESOURCE, workers=new, on_error="return") if new else None
        told = await asyncio.wait_for(asking, CONNECT) if asking else {}
        return {
            address: msgspec.convert(each, Hosting) for address, each in told.items() if not isinstance(each, Exception)
        }

    def _welcome(self, seen: dict[str, Hosting]) -> None:
        """Take those that are as we are. A line that others may listen to is not added to lines that are private."""
        for address, hosting in seen.items():
            alike = hosting.versions == versions() and not hosting.trouble
            if alike and (is_private(address) or not self.is_private):
                self._hostings[address] = hosting

    async def _free_sessions(self) -> dict[str, int]:
        """How many each Dask worker has; sessions that other runs have taken are seen by the names of their tasks."""
        tasks = await self._client.scheduler.processing(workers=None)
        taken = {
            address: {name for name in tasks.get(address, ()) if str(name).startswith(TASK)} | self._lent[address]
            for address in self._hostings
        }
        return {address: max(0, each.sessions - len(taken[address])) for address, each in self._hostings.items()}

    async def session(self, name: str) -> str:
        """The address of a Dask worker where a session is free, which is the task's of that name from now on.

        Waits for one. Raises NoSessionError when there was none for long, and none of ours at work.
        """
        looks = 0
        while looks < MOST_LOOKS:
            if self._client.status not in {"running", "connecting"}:
                raise NoSessionError("the connection to the Dask scheduler is lost")
            try:
                self._welcome(await self._look())
                free = await self._free_sessions()
            except OSError:  # the scheduler may come back, or who is new may answer; a timeout is one, too
                free = {}
            if any(free.values()):
                address = min((each for each in free if free[each]), key=lambda each: (self._losses[each], -free[each]))
                self._lent[address].add(name)
                return address
            looks = 0 if any(self._lent.values()) else looks + 1
            await asyncio.sleep(LOOK)
        raise NoSessionError(f"no session of the Dask cluster was free for {LOOK * MOST_LOOKS:.0f} s")

    def give_back(self, name: str, address: str, *, lost: bool) -> None:
        """Take a session back. A Dask worker that lost it is asked after the others from now on: it may be there and not answer."""
        self._lent[address].discard(name)
        self._losses[address] += lost

    def submit(self, name: str, address: str, manner: berth.Manner) -> Any:  # noqa: ANN401 - Dask's future has no type here
        """Have a task of that name be a berth there. Dask never runs it twice by itself."""
        return self._client.submit(
            partial(eval, LEND, {"name": name, "manner": tuple(manner)}),
            key=name,
            workers=[address],
            resources={RESOURCE: 1},
            retries=0,
            pure=False,
        )

    async def call(self, name: str, address: str) -> Any:  # noqa: ANN401 - Dask's connections have no types here
        """A line to the berth of that name. Raises OSError."""
        comm = await asyncio.wait_for(connect(address, timeout=CALL, **self._client.connection_args), CONNECT)
        await comm.write({"op": berth.PORT, "name": name, "reply": False})
        return comm

    async def end_of(self, task: Any) -> str:  # noqa: ANN401 - as above
        """Wait for a task to end; why it failed, if it did."""
        try:
            with self._client.as_current():
                await wait([task])
        except CancelledError:  # the scheduler is lost, and the berth need not be: its line tells
            await asyncio.Event().wait()
        return "" if task.status == "finished" else f"its task failed: {await task.exception()!r}"

    async def withdraw(self, task: Any) -> None:  # noqa: ANN401 - as above
        """Have Dask forget a task, which has ended or will be begun nowhere."""
        with suppress(OSError):  # the scheduler is gone, and with it what it knew
            await self._client.cancel([task])


async def _knock(scheduler: str, arguments: dict[str, Any]) -> None:
    """Look whether anybody answers there who speaks as we do: a client that can't connect can't be closed either.

    Raises what `connect` raises, and UsageError for a scheduler of another Dask. It needs no fanout, and may have any Python.
    """
    comm = await asyncio.wait_for(connect(scheduler, timeout=CONNECT, **arguments), CONNECT)
    try:
        told = await asyncio.wait_for(send_recv(comm, op="versions"), CONNECT)
    finally:
        comm.abort()
    there, here = release(told["packages"]["distributed"]), versions()["distributed"]
    if there != here:
        raise UsageError(f"the Dask scheduler has distributed {there}, and here is {here}: both sides need the same")


def _check(address: str, hosting: Hosting) -> None:
    """Raise UsageError for a Dask worker that has sessions, and can't have workers of ours in them."""
    if not hosting.sessions:
        return
    there, here = hosting.versions, versions()
    if there != here:
        raise UsageError(
            f"the Dask worker {address} on {hosting.machine} has {in_words(there)}, and here are {in_words(here)}: "
            "both sides need the same"
        )
    if hosting.trouble:
        raise UsageError(f"the Dask worker {address} on {hosting.machine} can't load fanout: {hosting.trouble}")


def is_private(address: str) -> bool:
    scheme = address.partition("://")[0]
    return scheme in {"tls", "wss", "inproc"} or is_loopback(get_address_host(address))
