"""A census over IMAP, beside what people use today, on a Dovecot of one's own. `python -m benchmarks.imap [--mail DIR]`

    fanout      `fanout.run`, 2 workers with 8 mailboxes at a time each
    threads     a ThreadPoolExecutor(16) of imaplib, a command at a time
    pipelined   8 sockets in threads, hand-written: logon and listing in one flight, all folders in the next

All count folders, messages, bytes and find the newest date; all results are compared, and messages and bytes of each mailbox with
what doveadm says. Clients take turns; CPU seconds are those of the client's processes, and of the server's. `--hold N` holds N
sessions open instead. Takes Dovecot (Debian: dovecot-imapd).
"""

from __future__ import annotations

import imaplib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import click
import psutil

import fanout
from benchmarks.measure import machine
from tests.imap.dovecot import MASTER, PASSWORD, Dovecot, room, running, serving
from tests.imap.mail import message

ACCESS = fanout.Access(user=MASTER, password=PASSWORD)

#: What stands in the configuration beside the defaults: nothing, and processes that serve one session after another.
CONFIGURATIONS = {
    "default": "",
    "service_count = 0": "service imap {\n  service_count = 0\n}\nservice imap-login {\n  service_count = 0\n}",
}

#: Folders of a generated mailbox, and messages of a folder.
FOLDERS, MESSAGES = 3, 17

Census = dict[str, tuple[int, int, int, str]]  # folders, messages, bytes, newest date


# --- mail -------------------------------------------------------------------------------------------------------------


def populate(homes: Path, count: int, mail: Path | None, most: int | None) -> list[str]:
    """Make so many mailboxes out of generated mail, or of real mail: there a directory is a person, with folders of files.

    Where there are more mailboxes than people, people come again, as links to the same files.
    """
    people = sorted(path for path in mail.iterdir() if path.is_dir()) if mail else []
    names = [f"u{number:05}@bench.example" for number in range(count)]
    maildirs = [homes / name / "Maildir" for name in names]
    for number, maildir in enumerate(maildirs):
        if people and number >= len(people):
            shutil.copytree(maildirs[number - len(people)], maildir, copy_function=os.link)
        else:
            _fill(maildir, _real(people[number], most) if people else _generated(number))
    return names


def _fill(maildir: Path, folders: dict[str, list[bytes]]) -> None:
    for kind in ("cur", "new", "tmp"):
        (maildir / kind).mkdir(parents=True)
    for place, (folder, files) in enumerate(folders.items()):
        for kind in ("cur", "new", "tmp"):
            (maildir / folder / kind).mkdir(parents=True, exist_ok=True)
        for at, content in enumerate(files):
            path = maildir / folder / "cur" / f"{1_700_000_000 + at}.M{at}P{place}.bench:2,S"
            path.write_bytes(content)
            os.utime(path, (1_700_000_000 + at,) * 2)


def _real(person: Path, most: int | None) -> dict[str, list[bytes]]:
    """The folders of a person, or the first ones, by their names in Maildir++."""
    files = {path: sorted(each for each in path.iterdir() if each.is_file()) for path in _directories(person)}
    filled = [(path, found) for path, found in files.items() if found][:most]
    return {_name(path.relative_to(person)): [each.read_bytes() for each in found] for path, found in filled}


def _directories(person: Path) -> list[Path]:
    return sorted(path for path in person.rglob("*") if path.is_dir())


def _name(path: Path) -> str:
    """Dovecot lists `.inbox.old`, and then does not find it: another name takes its place."""
    parts = ["filed" if part == "inbox" else part.replace(".", "_") for part in path.parts]
    return "" if path == Path("inbox") else "." + ".".join(parts)


def _generated(number: int) -> dict[str, list[bytes]]:
    return {
        f".folder{place}" if place else "": [message(number, place, at) for at in range(MESSAGES)]
        for place in range(FOLDERS)
    }


# --- clients ----------------------------------------------------------------------------------------------------------


def by_fanout(server: Dovecot, names: list[str], concurrency: int = 8) -> Census:
    found = fanout.run(
        "census",
        server=server.url,
        mailboxes=names,
        workers=2,
        concurrency=concurrency,
        options={"newest": True},
        access=ACCESS,
    )
    found.raise_for_failures()
    return {
        outcome.mailbox: tuple(outcome.result[name] for name in ("folders", "messages", "bytes", "newest"))
        for outcome in found
    }


def by_threads(server: Dovecot, names: list[str]) -> Census:
    def census(name: str) -> tuple[int, int, int, str]:
        with imaplib.IMAP4("127.0.0.1", server.port) as client:
            client.login(f"{name}*{MASTER}", PASSWORD)
            _, listed = client.list()
            lines = [line for line in listed if isinstance(line, bytes) and b"\\Noselect" not in line]
            return _added_up([_fetched(client, line) for line in lines])

    with ThreadPoolExecutor(16) as pool:
        return dict(zip(names, pool.map(census, names), strict=True))


def _fetched(client: imaplib.IMAP4, line: bytes) -> list[bytes]:
    _, [count] = client.select(line.rpartition(b" ")[2].decode(), readonly=True)
    if not int(count or b"0"):
        return []
    _, rows = client.fetch("1:*", "(RFC822.SIZE INTERNALDATE)")
    return [row for row in rows if isinstance(row, bytes)]


def by_pipelining(server: Dovecot, names: list[str]) -> Census:
    waiting: SimpleQueue[str] = SimpleQueue()
    for name in names:
        waiting.put(name)

    def work(_: int) -> Census:
        found: Census = {}
        while not waiting.empty():
            name = waiting.get()
            with socket.create_connection(("127.0.0.1", server.port)) as line, line.makefile("rb") as lines:
                logon = f'a LOGIN "{name}*{MASTER}" "{PASSWORD}"\r\nb LIST "" "*" RETURN (STATUS (MESSAGES))\r\n'
                line.sendall(logon.encode())
                folders = [
                    each.split()[2]
                    for each in _until(lines, b"b ")
                    if each.startswith(b"* STATUS") and not each.rstrip().endswith(b"MESSAGES 0)")
                ]
                flight = [b"c EXAMINE %s\r\nd FETCH 1:* (RFC822.SIZE INTERNALDATE)\r\n" % each for each in folders]
                line.sendall(b"".join(flight) + b"z LOGOUT\r\n")
                found[name] = _added_up(
                    [[each for each in _until(lines, b"d ") if b" FETCH (" in each] for _ in folders]
                )
        return found

    with ThreadPoolExecutor(8) as pool:
        return {name: each for found in pool.map(work, range(8)) for name, each in found.items()}


def _until(lines: Any, tag: bytes) -> list[bytes]:  # noqa: ANN401 - a file
    found = []
    for line in lines:
        found.append(line)
        if line.startswith(tag):
            return found
    raise EOFError


_SIZE, _DATE = re.compile(rb"RFC822\.SIZE (\d+)"), re.compile(rb'INTERNALDATE "([^"]+)"')


def _added_up(folders: list[list[bytes]]) -> tuple[int, int, int, str]:
    rows = [row for folder in folders for row in folder]
    sizes = [int(found[1]) for row in rows if (found := _SIZE.search(row))]
    dates = [
        datetime.strptime(found[1].decode().strip(), "%d-%b-%Y %H:%M:%S %z")
        for row in rows
        if (found := _DATE.search(row))
    ]
    newest = max(dates).astimezone(UTC).isoformat() if dates else ""
    return sum(map(bool, folders)), len(rows), sum(sizes), newest


CLIENTS = {"fanout": by_fanout, "threads": by_threads, "pipelined": by_pipelining}


# --- measuring --------------------------------------------------------------------------------------------------------


def server_cpu(server: Dovecot) -> float:
    """CPU seconds of the server, of processes that have ended, too."""
    own = psutil.Process(server.pid).cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in serving(server.pid):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile, and is missing once
            times = child.cpu_times()
            total += times.user + times.system
    return float(total)


def client_cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def said_by_doveadm(server: Dovecot) -> dict[str, tuple[int, int]]:
    """Messages and bytes of each mailbox."""
    words = ["-f", "tab", "mailbox", "status", "-A", "messages vsize", "*"]
    command: list[str | Path] = ["doveadm", "-c", server.folder / "dovecot.conf", *words]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    counted: dict[str, tuple[int, int]] = {}
    for name, _, messages, size in (line.split("\t") for line in said.splitlines()[1:]):
        before = counted.get(name, (0, 0))
        counted[name] = before[0] + int(messages), before[1] + int(size)
    return counted


def compare(folder: Path, names: list[str], rounds: int, more: str) -> dict[str, list[tuple[float, float, float]]]:
    """Mailboxes a second, client's CPU and server's CPU of each client, round by round."""
    measured: dict[str, list[tuple[float, float, float]]] = {name: [] for name in CLIENTS}
    with running(folder, names, more) as server:
        expected = by_pipelining(server, names)  # warms the server's indexes
        if {name: each[1:3] for name, each in expected.items()} != said_by_doveadm(server):
            sys.exit("doveadm says something else")
        print(said(expected))
        for number in range(rounds):
            for name, client in CLIENTS.items():
                begun, own, its = time.perf_counter(), client_cpu(), server_cpu(server)
                found = client(server, names)
                wall = time.perf_counter() - begun
                if found != expected:
                    sys.exit(f"{name} found something else")
                measured[name].append((len(names) / wall, client_cpu() - own, server_cpu(server) - its))
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return measured


def said(census: Census) -> str:
    """How much mail there is."""
    folders, messages, size = (sum(each[column] for each in census.values()) for column in range(3))  # type: ignore[misc]
    return (
        f"{len(census):,} mailboxes, {folders:,} folders that hold mail, {messages:,} messages, {size:,} bytes, "
        "the same as doveadm says"
    )


HOLDING = """
default_client_limit = 20000
default_process_limit = 2000
mail_max_userip_connections = 0
service imap {
  service_count = 0
  client_limit = 250
  process_limit = 2000
}
service imap-login {
  service_count = 0
  process_min_avail = 2
}
"""


def hold(folder: Path, count: int) -> None:
    """Hold so many sessions open, and call a function with each."""
    names = [f"u{number:05}@bench.example" for number in range(count)]
    with running(folder, names, HOLDING) as server:
        begun = time.perf_counter()
        with fanout.open_all(server=server.url, mailboxes=names, access=ACCESS) as fleet:
            opened = time.perf_counter() - begun
            answers = sum(1 for outcome in fleet.map(address) if outcome.ok and outcome.result == outcome.mailbox)
            memory = sum(process.memory_info().rss for process in serving(server.pid)) / count / 1024
            print(
                f"{count - len(fleet.failed):,} sessions open after {opened:.1f} s, {answers:,} answer, {fleet!r}; "
                f"the server holds {memory:.0f} KiB for each"
            )


def address(mailbox: Any) -> str:  # noqa: ANN401 - whatever the server's mailbox is
    """What is called with each."""
    return str(mailbox.address) if mailbox.store.noop()[0] == "OK" else ""


@click.command()
@click.option("--mailboxes", default=1000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--mail", type=click.Path(path_type=Path), help="Real mail: a directory a mailbox, with folders of files."
)
@click.option(
    "--folders", type=int, help="Folders of a person in the real mail that are taken; all of them unless said."
)
@click.option("--hold", "held", type=int, help="Hold so many sessions open instead.")
def main(mailboxes: int, rounds: int, mail: Path | None, folders: int | None, held: int | None) -> None:
    """Compare clients, or hold sessions."""
    print(machine())
    with room() as folder:
        if held:
            hold(folder, held)
            return
        names = populate(folder / "homes", mailboxes, mail, folders)
        for name, more in CONFIGURATIONS.items():
            measured = compare(folder, names, rounds, more)
            print("\n".join(table(name, measured)))


def table(name: str, measured: dict[str, list[tuple[float, float, float]]]) -> list[str]:
    """Medians, and how many times as fast as threads each is: by the clock, and by the CPU seconds of both sides.

    Where clients and server share a machine that has nothing else to do, the second is what the first comes to.
    """
    lines = [
        f"| {name} | mailboxes/s | client CPU, s | server CPU, s | times threads, clock | times threads, CPU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for client, rows in measured.items():
        rate, own, its = (statistics.median(column) for column in zip(*rows, strict=True))
        pairs = list(zip(rows, measured["threads"], strict=True))
        clock = statistics.median(row[0] / other[0] for row, other in pairs)
        cpu = statistics.median(sum(other[1:]) / sum(row[1:]) for row, other in pairs)
        lines.append(f"| {client} | {rate:.0f} | {own:.1f} | {its:.1f} | {clock:.2f} | {cpu:.2f} |")
    return lines


if __name__ == "__main__":
    main()
