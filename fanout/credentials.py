"""Where a password comes from: a file, a command, a keyring, the environment or a terminal; never a URL, never argv.

It is read once, in the parent, and goes to workers over their pipes. No file and no log ever has it.
"""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fanout.errors import UsageError

#: The variable of the environment that may hold the password.
VARIABLE = "FANOUT_PASSWORD"

#: Seconds that a command for a password may take: somebody may have to touch a key, or answer a question.
PATIENCE = 120


@dataclass(frozen=True, slots=True)
class Source:
    """Where to look for the password: one of these at the most."""

    file: str | None = None
    command: str | None = None
    #: The service under which a keyring has it.
    keyring: str | None = None

    def given(self) -> list[str]:
        """The options that name a place."""
        return [f"--password-{name}" for name in ("file", "command", "keyring") if getattr(self, name) is not None]

    def password(self, user: str) -> str | None:
        """What is there; None where no place was named. Raises UsageError."""
        if len(self.given()) > 1:
            raise UsageError(f"{' and '.join(self.given())}: a password comes from one place")
        if self.file is not None:
            return _one(Path(self.file).name, _of_file(Path(self.file)))
        if self.command is not None:
            return _one("--password-command", output_of(self.command, "--password-command"))
        if self.keyring is not None:
            return _of_keyring(self.keyring, user)
        return None


def take_from_environment() -> str | None:
    """The password of the environment, which has it no longer: neither this process's, as others see it, nor that of its forks.

    `unsetenv` forgets a variable, but leaves its text where the kernel shows it in `/proc/PID/environ`, also that of a fork.
    """
    password = os.environ.get(VARIABLE)
    if password is None:
        return None
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    place = libc.getenv(VARIABLE.encode())
    if place:
        ctypes.memset(place, 0, len(os.fsencode(password)))
    del os.environ[VARIABLE]
    return password


def output_of(command: str, option: str) -> str:
    """What a shell's command prints. Raises UsageError, which does not tell what it printed."""
    try:
        done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise UsageError(f"{option}: the command did not end within {PATIENCE} s") from None
    if done.returncode:
        raise UsageError(f"{option}: the command ended with exit code {done.returncode}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _of_file(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
                raise UsageError(f"{path}: others can read or write the password in it; chmod 600 {path}")
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the password can't be read: {getattr(error, 'strerror', None) or error}") from error


def _of_keyring(service: str, user: str) -> str:
    try:
        password = import_module("keyring").get_password(service, user)
    except ModuleNotFoundError:
        raise UsageError("--password-keyring takes keyring: pip install 'mailbox-fanout[keyring]'") from None
    except Exception as error:
        raise UsageError(f"--password-keyring {service}: {type(error).__name__}: {error}") from error
    if not password:
        raise UsageError(f"--password-keyring {service}: it has no password of {user}; keyring set {service} {user}")
    return str(password)


def _one(place: str, text: str) -> str:
    """The first line, which is the password."""
    password = text.partition("\n")[0].removesuffix("\r")
    if not password:
        raise UsageError(f"{place}: the first line, which is to be the password, is empty")
    return password
