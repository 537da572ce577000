"""A Dovecot of one's own: from a configuration file in a temporary directory, on a port of loopback."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MASTER, PASSWORD = "master", "m4ster"

DOVECOT = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
MISSING = "there is no Dovecot here: apt-get install dovecot-imapd"

#: Seconds that it may take until it listens.
PATIENCE = 20

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


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


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
        self.port = free_port()
        self._owner = _owner(folder)
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
        for last in (False, False, True):
            self._process = subprocess.Popen([DOVECOT, "-F", "-c", str(self.folder / "dovecot.conf")])
            try:
                wait_for_greeting(self._process, self.port)
            except AssertionError:
                self.stop()  # the port may still be taken by what is ending there
                if last:
                    raise
            else:
                return

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """End every process of it at once, as a machine does that loses its power."""
        assert self._process
        processes = psutil.Process(self.pid).children(recursive=True)
        for process in processes:
            process.kill()
        self._process.kill()
        self._process.wait()
        psutil.wait_procs(processes)
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


def _owner(folder: Path) -> pwd.struct_passwd:
    """Whose the mail is: an ordinary user also where root runs the tests, so that a folder can be unreadable."""
    if os.geteuid():
        return pwd.getpwnam(getpass.getuser())
    for path in [folder, *folder.parents]:  # pytest's folders are root's alone
        if path.stat().st_uid == 0 and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    return pwd.getpwnam("mail")


@contextmanager
def running(folder: Path, names: list[str], more: str = "") -> Iterator[Dovecot]:
    """A Dovecot with these users, until the end of the context. Their mail is to be there before."""
    server = Dovecot(folder, more)
    server.add(names)
    server.own()
    server.start()
    try:
        yield server
    finally:
        server.stop()
