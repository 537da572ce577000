"""As whom a worker logs on to a real server, and how far it trusts the line: the one thing on the pipe that is secret."""

from __future__ import annotations

import ssl
import subprocess

import msgspec

from workers.urls import ServerUrlError

#: Seconds that a command for a token may take.
PATIENCE = 60


class TokenError(Exception):
    """No token, or no ticket, can be had: this side's trouble, before a server was asked."""


class Access(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An account and what goes with it. Its text never shows the password."""

    user: str = ""
    password: str = ""
    #: A command that prints a bearer token (OAUTHBEARER), run by whoever needs a fresh one; empty for a password.
    token_command: str = ""
    #: Certificates that are trusted, PEM; empty for those of the system.
    ca_file: str = ""
    #: Whether the server's certificate is looked at.
    verify: bool = True
    #: Whether the password may cross a network that is not loopback without TLS.
    plaintext: bool = False

    def __repr__(self) -> str:
        return f"<Access: {self.user or 'nobody'}>"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("user", self.user)]

    def trusted(self) -> ssl.SSLContext:
        """How TLS looks at the other side. Raises ServerUrlError for a file that has no certificates."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:  # an SSLError, too
            raise ServerUrlError(f"--ca-file {self.ca_file}: no certificates can be read there: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def token(self) -> str:
        """A bearer token, from the command; its own words are on stderr. Raises TokenError."""
        try:
            done = subprocess.run(
                ["sh", "-c", self.token_command], stdout=subprocess.PIPE, timeout=PATIENCE, check=True
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise TokenError(f"--token-command gave no token: {type(error).__name__}") from error
        return done.stdout.decode("ascii", "replace").strip()


#: Nobody in particular, over a line that is trusted as lines are by default.
ANYBODY = Access()
