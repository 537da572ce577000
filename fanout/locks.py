"""Locks: who works on a run file, said in a way that ends with the process, however it ends.

A POSIX record lock (fcntl F_SETLK): a forked child does not inherit it, so no worker that outlives its parent keeps a run
from being resumed; and it can be asked who holds it. Three traps come with it:

- A process loses its locks on a file when it closes *any* descriptor of it. So our descriptor and SQLite's are closed
  together, at the end, and nobody else in this process may open the file by itself. (SQLite knows of the trap among its
  own connections: it puts off a close while one of them holds a lock.)
- SQLite, when a process's last connection to a file gives up its last lock, unlocks the file from its first byte to its
  last, ours among them. In WAL mode each connection holds a shared lock from its first look until it is closed, or leaves
  that mode. So a file is taken when its connection is in WAL mode and has looked at it.
- It does not hold against the same process. So the files that this process works on are noted beside it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
from pathlib import Path

from fanout.errors import UsageError

#: The byte that is locked. SQLite locks 512 bytes at 2**30, and no database of it reaches 2**48 bytes; an offset may be
#: 2**63 - 1 at most.
OFFSET = 2**62

#: `struct flock` as Linux has it wherever an offset has 64 bits: type, whence, start, length, pid.
_FLOCK = struct.Struct("@hhqqi4x")

#: File systems that another machine can write to at the same time, or that ask one which may not be there: a lock on them
#: holds on this machine alone, or not at all, and SQLite's WAL needs memory that all its processes share.
UNSAFE = {
    "9p": "a share of the host",
    "afs": "a network share",
    "cifs": "a network share",
    "davfs": "a network share",
    "fuse.davfs2": "a network share",
    "fuse.gcsfuse": "an object store",
    "fuse.glusterfs": "a network share",
    "fuse.rclone": "a network share",
    "fuse.s3fs": "an object store",
    "fuse.sshfs": "a network share",
    "fuse.vmhgfs-fuse": "a share of the host",
    "nfs": "a network share",
    "nfs4": "a network share",
    "smb3": "a network share",
    "smbfs": "a network share",
    "vboxsf": "a share of the host",
}

_worked_on: set[tuple[int, int]] = set()


class FileLock:
    """One process's hold on a file, or its look at who has one. To be released after SQLite's connection is closed."""

    def __init__(self, path: Path, flags: int) -> None:
        """Open the file; `flags` as of os.open. Raises OSError."""
        self._path = path
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        status = os.fstat(self._descriptor)
        if stat.S_ISDIR(status.st_mode):
            os.close(self._descriptor)
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        self._identity = (status.st_dev, status.st_ino)
        #: Whether it is this one that holds the file.
        self.held = False

    def take(self) -> None:
        """Hold the file. Raises UsageError when another process does, or this one by another lock."""
        if self._identity in _worked_on:
            raise UsageError(f"this process is working on it already: {self._path}")
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, OFFSET)
        except OSError as error:
            holder = self.holder()
            who = f"process {holder}" if holder else "a process of another container"
            raise UsageError(f"{who} is working on it: {self._path}; wait for its end, or interrupt it") from error
        _worked_on.add(self._identity)
        self.held = True

    def holder(self) -> int | None:
        """The pid of the process that holds the file; None for nobody, 0 for one that has no pid here."""
        if self._identity in _worked_on:
            return os.getpid()
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, OFFSET, 1, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(self._descriptor, fcntl.F_GETLK, asked))
        return None if kind == fcntl.F_UNLCK else max(pid, 0)

    def release(self) -> None:
        """Let go, after the last connection to the file is closed. May be called again."""
        if self._descriptor < 0 or (self._identity in _worked_on and not self.held):
            return  # where this process holds the file by another lock, a close would give that up: this one stays open
        if self.held:
            _worked_on.discard(self._identity)
            self.held = False
        os.close(self._descriptor)
        self._descriptor = -1


def check_file_system(path: Path) -> None:
    """Raise UsageError where locks would not hold: the file system that `path` is, or would be, on."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:  # nothing is known, as without /proc
        return
    kind = file_system(path, mounts)
    if kind in UNSAFE:
        raise UsageError(
            f"a run file can't be kept on {kind} ({UNSAFE[kind]}), where locks do not hold: {path}; "
            "give a path on a local disk with --run-file"
        )


def file_system(path: Path, mounts: str) -> str | None:
    """The type of the file system that a path lies on, by the text of /proc/self/mountinfo (proc(5)); None where it is silent."""
    resolved, best, kind = path.resolve(), -1, None
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields.split(" ")[4]))
        if resolved.is_relative_to(point) and len(point.parts) >= best:  # of two on one point the later one is seen
            best, kind = len(point.parts), rest.split(" ")[0]
    return kind
