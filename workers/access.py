"""As whom a worker logs on to a real server, and how far it trusts the line: the one thing on the pipe that is secret."""

from __future__ import annotations

import msgspec


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


#: Nobody in particular, over a line that is trusted as lines are by default.
ANYBODY = Access()
