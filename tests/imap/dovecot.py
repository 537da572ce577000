"""A Dovecot of one's own: from a configuration file in a temporary directory, on a port of loopback."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MASTER, PASSWORD = "master", "m4ster"

DOVECOT = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
MISSING = "there is no Dovecot here: apt-get install dovecot-imapd"

#: Seconds that it may take until it listens, on a machine that does much else.
PATIENCE = 60

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:%h/Maildir
auth_master_user_separator = *
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/masters
  master = yes
  result_success = continue
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  chroot =
}}
{more}
"""


def reserved_port() -> socket.socket:
    """A socket that keeps its port from everybody but a server with SO_REUSEADDR; nobody can connect to it."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def port_of(reserved: socket.socket) -> int:
    return int(reserved.getsockname()[1])


def wait_for_greeting(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when an IMAP server greets. It fails when the process ends before that, or takes too long."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
                assert probe.recv(4) == b"* OK"
                return
        except OSError:
            assert time.monotonic() < end, f"nobody listens on port {port}"
            assert process.poll() is None, f"the server ended with {process.returncode}"


class Dovecot:
    """One instance. Its mailboxes are Maildirs under `homes`; ordinary users have their name as password."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        self.homes = folder / "homes"
        self.homes.mkdir(parents=True, exist_ok=True)
        self._reserved = reserved_port()
        self.port = port_of(self._reserved)
        self._owner = _owner()
        self._write_configuration(more)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"imap://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def add(self, names: list[str]) -> None:
        """Make users of those names, whose homes are `homes/NAME`."""
        uid, gid = self._owner.pw_uid, self._owner.pw_gid
        lines = [f"{name}:{name}:{uid}:{gid}::{self.homes / name}::\n" for name in names]
        (self.folder / "users").write_text("".join(lines))
        (self.folder / "masters").write_text(f"{MASTER}:{PASSWORD}\n")
        for path in (self.folder / "users", self.folder / "masters"):
            path.chmod(0o644)

    def own(self) -> None:
        """Give the mail to whom it belongs."""
        if os.geteuid() == 0:
            for path in [self.homes, *self.homes.rglob("*")]:
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid, follow_symlinks=False)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert DOVECOT
        self._process = subprocess.Popen([DOVECOT, "-F", "-c", str(self.folder / "dovecot.conf")])
        wait_for_greeting(self._process, self.port)

    def close(self) -> None:
        """End it, if it runs, and give its port back."""
        if self._process:
            processes = serving(self.pid)
            self._process.terminate()
            self._process.wait()
            to_each(processes, psutil.Process.kill)  # one that a test stopped does not end by itself
        self._reserved.close()

    def kill(self) -> None:
        """End every process of it at once, as a machine does that loses its power."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)  # it starts nobody while its processes are counted
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # one that it started meanwhile would keep its port
        processes = serving(self.pid)
        to_each(processes, psutil.Process.kill)
        self.kill_master()
        psutil.wait_procs(processes)

    def kill_master(self) -> None:
        """End the process that starts the others, which are left to themselves."""
        assert self._process
        self._process.kill()
        self._process.wait()
        self._process = None
        (self.folder / "run" / "master.pid").unlink(missing_ok=True)

    def _write_configuration(self, more: str) -> None:
        root = os.geteuid() == 0
        user = self._owner.pw_name
        text = _CONFIGURATION.format(
            folder=self.folder,
            port=self.port,
            user="dovecot" if root else user,
            login="dovenull" if root else user,
            group=grp.getgrgid(pwd.getpwnam("dovecot").pw_gid if root else self._owner.pw_gid).gr_name,
            more=more,
        )
        (self.folder / "dovecot.conf").write_text(text)


def serving(master: int, what: str = "") -> list[psutil.Process]:
    """The processes that a master has started: all of them, or those whose names or titles tell of something."""
    found = []
    for process in psutil.Process(master).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if what in " ".join([process.name(), *process.cmdline()]):
                found.append(process)
    return found


def to_each(processes: list[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    """Do something to each that is still there: processes of a server end when they like."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            act(process)


def _owner() -> pwd.struct_passwd:
    """Whose the mail is: an ordinary user also where root runs the tests, so that a folder can be unreadable."""
    return pwd.getpwnam("mail" if os.geteuid() == 0 else getpass.getuser())


@contextmanager
def room() -> Iterator[Path]:
    """A folder that the server's accounts may enter. Those of pytest are closed by each pytest that starts beside."""
    with tempfile.TemporaryDirectory(prefix="dovecot-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def running(folder: Path, names: list[str], more: str = "") -> Iterator[Dovecot]:
    """A Dovecot with these users, until the end of the context. Their mail is to be there before."""
    server = Dovecot(folder, more)
    server.add(names)
    server.own()
    try:
        server.start()
        yield server
    finally:
        server.close()
