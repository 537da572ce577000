"""What this machine allows, and what a server gives: each looked at, said in a line, and with what to do about it.

Nothing is written anywhere, and no mailbox is marked. The looks at a server come in the order in which they build on one
another; the first that fails ends them.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import ssl
import sys
import tempfile
import threading
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from fanout import machine
from fanout.api import run
from fanout.errors import CredentialsError, FanoutError, UsageError
from fanout.locks import check_file_system
from workers.jobs.glance import glance
from workers.servers import scheme_of, server_at
from workers.urls import ServerUrlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.access import Access

#: Mailboxes of the self-test, and workers: enough for chunks to go around, in well under two seconds.
TESTED, WORKERS = 2000, 2

#: Seconds that a server may take for a connection.
PATIENCE = 10.0

#: The ports of the schemes that have a host.
_PORTS = {"imaps": 993, "imap": 143, "mapi+https": 443, "mapi+http": 80}

#: What each extra is for, by a module that only it brings.
_EXTRAS = {
    "mapi": ("httpx", "mapi+https:"),
    "imap": ("imapclient", "imaps:"),
    "keyring": ("keyring", "--password-keyring"),
    "parquet": ("pyarrow", "fanout export -o FILE.parquet"),
    "plot": ("matplotlib", "pictures of fanout bench"),
    "dask": ("distributed", "--engine dask"),
}


class State(StrEnum):
    """How a look came out."""

    WELL = "ok"
    #: It works, and something would be better.
    SO_SO = "note"
    ILL = "FAIL"


class Sign(msgspec.Struct, frozen=True):
    """What one look has found."""

    state: State
    what: str
    found: str
    #: What to do about it; empty where all is well.
    advice: str = ""


def of_machine(folder: Path) -> Iterator[Sign]:
    """Look at what this machine, or this container, allows; `folder`: where run files are to be."""
    yield _well("python", f"{platform.python_version()} on {platform.system()} {platform.release()}")
    yield _well("cores", f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} may be used; as many workers by default")
    yield _memory()
    yield from _limits()
    yield _start_method()
    yield _folder(folder)
    yield _room()
    yield from _extras()
    yield _self_test()


def of_server(url: str, access: Access, mailbox: str | None = None) -> Iterator[Sign]:
    """Look at a server as a run would, with one mailbox: its name, TLS, the account, a listing, a message.

    `mailbox`: the one to look into; by default the first that the server lists. Raises UsageError for a URL that can't be meant.
    """
    _check_url(url, access)
    return _of_server(url, access, mailbox)


def _of_server(url: str, access: Access, mailbox: str | None) -> Iterator[Sign]:
    where = urlsplit(url)
    if where.hostname:
        port = where.port or _PORTS.get(where.scheme, 0)
        for look in (_name, _connection):
            sign = look(where.hostname, port)
            yield sign
            if sign.state is State.ILL:
                return
        if where.scheme.endswith("s"):
            yield _tls(where.hostname, port, access)
    yield from _mailbox(url, access, mailbox)


def _well(what: str, found: str) -> Sign:
    return Sign(State.WELL, what, found)


# --- this machine -----------------------------------------------------------------------------------------------------


def _memory() -> Sign:
    available, limit = machine.memory_available(), machine.memory_limit()
    if available is None:
        return Sign(State.SO_SO, "memory", "can't be told", "give --max-rss, or one worker may take all of it")
    bound = f", a container's limit of {limit / 2**30:.1f} GiB" if limit else ", no container's limit"
    return _well("memory", f"{available / 2**30:.1f} GiB may be taken{bound}")


def _limits() -> Iterator[Sign]:
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = (files - machine.DESCRIPTORS_ELSE) // machine.DESCRIPTORS_EACH
    if files == resource.RLIM_INFINITY or most >= 1000:
        yield _well("open files", "enough for 1,000 workers and more")
    else:
        state = State.SO_SO if most >= WORKERS else State.ILL
        yield Sign(
            state, "open files", f"{files:,}: enough for {max(0, most):,} workers", "raise `ulimit -Hn` for more"
        )
    _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    unlimited = processes == resource.RLIM_INFINITY or not os.geteuid()
    yield _well("processes", "no limit" if unlimited else f"{processes:,} of this account at a time (ulimit -u)")
    try:
        pages = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text())
    except (OSError, ValueError):
        return
    yield _well("pipes", f"of full size up to {pages // 16:,} at a time; smaller, and slower, beyond, but for root")


def _start_method() -> Sign:
    alone = threading.active_count() == 1
    return _well("start method", "fork" if alone else "spawn: this process has threads")


def _folder(folder: Path) -> Sign:
    try:
        check_file_system(folder / "any.fanout")
    except UsageError as error:
        return Sign(State.ILL, "run files", str(error), "name one on a local disk with --run-file")
    if not os.access(folder, os.W_OK):
        return Sign(State.ILL, "run files", f"{folder} can't be written", "name one elsewhere with --run-file")
    return _well("run files", f"{folder} holds locks, {shutil.disk_usage(folder).free / 2**30:.1f} GiB are free")


def _room() -> Sign:
    place = tempfile.gettempdir()
    free = shutil.disk_usage(place).free
    if free < 2**30:
        return Sign(State.SO_SO, "temporary files", f"{free / 2**20:.0f} MiB in {place}", "set TMPDIR to a larger disk")
    return _well("temporary files", f"{free / 2**30:.1f} GiB in {place}")


def _extras() -> Iterator[Sign]:
    for extra, (module, purpose) in _EXTRAS.items():
        if find_spec(module):
            yield _well(f"[{extra}]", f"installed, for {purpose}")
        else:
            yield Sign(State.SO_SO, f"[{extra}]", f"missing, for {purpose}", f"pip install 'mailbox-fanout[{extra}]'")


def _self_test() -> Sign:
    """A run over names: template, workers, pipes, merge."""
    try:
        with run("logon", server=f"null:{TESTED}", workers=WORKERS) as found:
            done, failed = len(found.succeeded), len(found.failed)
    except FanoutError as error:
        return Sign(State.ILL, "self-test", str(error), "report it, with what stands above")
    if (done, failed) != (TESTED, 0):
        return Sign(State.ILL, "self-test", f"{done:,} of {TESTED:,} done", "report it, with what stands above")
    return _well("self-test", f"{done:,} mailboxes visited by {WORKERS} workers of {sys.executable}")


def _check_url(url: str, access: Access) -> None:
    """Raise UsageError for a URL that can't be meant. That an account is missing is found where one is wanted."""
    try:
        if scheme_of(url).accounts and not access.user:
            access = msgspec.structs.replace(access, user="anybody")
        server_at(url, access=access)
    except ServerUrlError as error:
        raise UsageError(str(error)) from error


# --- a server ---------------------------------------------------------------------------------------------------------


def _name(host: str, port: int) -> Sign:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Sign(State.ILL, "name", f"{host}: {error}", "look at the spelling, and ask for the server's name in DNS")
    return _well("name", f"{host} is {', '.join(sorted({str(address[4][0]) for address in found}))}")


def _connection(host: str, port: int) -> Sign:
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        advice = "ask whether the service runs, on which port, and whether a firewall is between"
        return Sign(State.ILL, "connection", f"port {port} of {host}: {error}", advice)
    return _well("connection", f"port {port} answers")


def _tls(host: str, port: int, access: Access) -> Sign:
    try:
        context = ssl.create_default_context(cafile=access.ca_file or None)
        with (
            socket.create_connection((host, port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host) as line,
        ):
            return _well("TLS", f"{line.version()}, the certificate is good")
    except OSError as error:
        advice = "ask for the certificate of the authority that signed it, and give it with --ca-file"
        state = State.ILL if access.verify else State.SO_SO
        return Sign(state, "TLS", str(error), advice)


def _mailbox(url: str, access: Access, mailbox: str | None) -> Iterator[Sign]:
    """The account, the roster and one mailbox of it."""
    names = None if mailbox is None else [mailbox]
    try:
        with run(glance, server=url, mailboxes=names, limit=1, workers=1, access=access) as found:
            yield _well("account", f"{access.user} may log on" if access.user else "none is wanted")
            [outcome] = found
    except CredentialsError as error:
        yield Sign(
            State.ILL, "account", str(error), "ask for the account's name as the server knows it, and its password"
        )
        return
    except FanoutError as error:
        unlisted = "name one with --mailbox, for the server lists none"
        silent = "ask whether the service works: it takes connections, and a run would come no further"
        yield Sign(State.ILL, "roster", str(error), unlisted if isinstance(error, UsageError) else silent)
        return
    if mailbox is None:
        yield _well("roster", f"lists mailboxes, {outcome.mailbox} first")
    if outcome.error:
        advice = "ask for the right to read every mailbox: impersonation, full access, or a master user"
        yield Sign(State.ILL, "reading", f"{outcome.mailbox}: {outcome.error.message}", advice)
    else:
        yield _well("reading", f"{outcome.result['folders']:,} folders, {outcome.result['message']}")
