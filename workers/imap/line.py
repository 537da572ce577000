"""A connection: one logs on, and sends commands in flights: many at a time, whose answers are read in their order.

imaplib connects, speaks TLS and SASL, and reads lines. It waits for the answer to each command, which costs a round trip
each, so flights are made here, on its `send`, `readline` and `read`.
"""

from __future__ import annotations

import imaplib
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from workers.causes import Cause, MailboxError
from workers.imap.failures import logon_refused, lost, refused, turned_away
from workers.imap.responses import Answer, Ending, Response, broken, ending_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.imap.place import Place

#: A literal that follows the line: its length stands at the end.
_LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n$")

#: Bytes of the largest literal that is believed.
_LARGEST = 2**31

#: What may stand in an astring without more ado, and what a quoted string can hold.
_PLAIN = re.compile(r"[\x20-\x7e]*")

#: `[CAPABILITY ...]` in an answer to logging on.
_CAPABILITY = re.compile(rb"\[CAPABILITY ([^]]*)\]", re.IGNORECASE)


def quoted(text: str | bytes) -> bytes:
    """A quoted string. The names of mailboxes are in modified UTF-7, so in ASCII."""
    octets = text.encode("utf-8") if isinstance(text, str) else text
    return b'"' + octets.replace(b"\\", rb"\\").replace(b'"', rb"\"") + b'"'


class _Frugal(imaplib.IMAP4):
    """imaplib's client for connections that are many and short.

    It asks for capabilities only where the greeting does not tell them, which saves a round trip, and takes the same prefix for
    the tags of every connection: for each one imaplib compiles a regular expression, for a quarter of a mailbox's CPU time.
    """

    tagpre = property(lambda _: b"I", lambda _, __: None)

    def _get_capabilities(self) -> None:
        # What was said before TLS is not to be believed behind it (RFC 3501 section 6.2.1).
        told = not self._tls_established and _CAPABILITY.search(getattr(self, "welcome", b"") or b"")
        if told:
            self.capabilities = tuple(told[1].decode("ascii", "replace").upper().split())
        else:
            super()._get_capabilities()  # type: ignore[misc]  # not declared, for years the same


class _FrugalTls(_Frugal, imaplib.IMAP4_SSL):
    """The same over TLS."""


def _end(client: imaplib.IMAP4) -> None:
    """Close the connection. Where TLS failed its socket is gone already, and imaplib would say so in place of the reason."""
    with suppress(OSError):
        client.shutdown()


class Line:
    """A connection to a server, on which one can be logged on once. Not to be used by two threads at a time."""

    def __init__(self, place: Place, beat: Callable[[], None]) -> None:
        """Connect; `beat` is called before each round trip. Raises MailboxError, BUSY where the server has too many."""
        self._place = place
        self._beat = beat
        self._sent = 0
        self._beat()
        try:
            self.client = self._connected()
        except imaplib.IMAP4.error as error:  # a greeting of BYE, or none: the server has too many, or is going down
            raise turned_away(error) from error
        except OSError as error:
            raise lost("connect", error) from error

    def _connected(self) -> imaplib.IMAP4:
        place = self._place
        if place.tls:
            return _FrugalTls(place.host, place.port, ssl_context=place.trusted, timeout=place.timeout)
        client = _Frugal(place.host, place.port, timeout=place.timeout)
        if place.starttls:
            try:
                self._start_tls(client)
            except BaseException:
                _end(client)
                raise
        return client

    def _start_tls(self, client: imaplib.IMAP4) -> None:
        """Before a password is sent. Raises MailboxError for a server that has no TLS."""
        if "STARTTLS" not in client.capabilities:
            raise MailboxError(
                f"{self._place.host} offers no STARTTLS, and without TLS the password would cross the network for all to "
                "read: imaps:, or --plaintext",
                Cause.CREDENTIALS,
            )
        self._beat()
        client.starttls(self._place.trusted)

    def log_on(self, owner: str, *further: bytes) -> list[Answer]:
        """Log on to the mailbox of `owner`; answers to `further` commands, which go with the logon in one flight.

        Raises MailboxError: CREDENTIALS for an account that is refused, BUSY for a server that has too many.
        """
        name = self._place.name_for(owner)
        try:
            if self._place.access.token_command or self._place.authzid or not _PLAIN.fullmatch(name):
                self._authenticate(name, owner)
                return self.flight(*further)
            password = self._place.access.password
            if "LOGINDISABLED" in self.client.capabilities:
                raise MailboxError(
                    "the server takes no password without TLS: imaps:, or starttls=yes", Cause.CREDENTIALS
                )
            logon, *answers = self._answers(b"LOGIN " + quoted(name) + b" " + quoted(password), *further)
        except (EOFError, ConnectionResetError, BrokenPipeError, imaplib.IMAP4.abort) as error:
            raise turned_away(str(error) or "without a word") from error
        except OSError as error:
            raise lost("log on", error) from error
        if logon.ending.status != "OK":
            raise logon_refused(logon.ending)
        self._learn(logon.ending)
        return answers

    def flight(self, *commands: bytes) -> list[Answer]:
        """Send commands together, and read the answers. Raises MailboxError when the connection is lost.

        What a command was refused is in its answer; `accepted` makes an error of it.
        """
        try:
            return self._answers(*commands)
        except (EOFError, OSError, imaplib.IMAP4.error) as error:
            raise lost("the connection", error) from error

    def close(self) -> None:
        """Log out, without waiting for what the server says to that. Never raises."""
        try:
            self.client.send(b"Z LOGOUT\r\n")
        except (OSError, imaplib.IMAP4.error, ValueError):
            pass
        finally:
            _end(self.client)

    # --- logging on ---------------------------------------------------------------------------------------------------

    def _authenticate(self, name: str, owner: str) -> None:
        """By SASL: PLAIN with an authorization id, or with a bearer token. Raises MailboxError."""
        access = self._place.access
        authorized = owner if self._place.authzid else ""
        if access.token_command:
            self._show_token(authorized or name)
        else:
            self._speak("PLAIN", f"{authorized}\0{name}\0{access.password}")
        self._beat()
        try:
            _, listed = self.client.capability()
        except imaplib.IMAP4.error as error:
            raise lost("capability", error) from error
        self._set_capabilities(b" ".join(each for each in listed if isinstance(each, bytes)))

    def _show_token(self, user: str) -> None:
        """The token that was good before; another one where it is so no longer."""
        tokens = self._place.tokens
        if tokens.kept:
            try:
                return self._speak(*self._bearer(tokens.kept, user))
            except MailboxError as error:
                if error.cause is not Cause.CREDENTIALS:
                    raise
        return self._speak(*self._bearer(tokens.fresh(), user))

    def _speak(self, mechanism: str, initial: str) -> None:
        self._beat()
        told = iter([initial.encode()])  # an error comes as one more challenge, which an empty answer ends
        try:
            self.client.authenticate(mechanism, lambda _: next(told, b""))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise logon_refused(ending_of(f"NO {error}".encode())) from error

    def _bearer(self, token: str, user: str) -> tuple[str, str]:
        """OAUTHBEARER (RFC 7628), or XOAUTH2 where a server has only that."""
        if "AUTH=OAUTHBEARER" in self.client.capabilities or "AUTH=XOAUTH2" not in self.client.capabilities:
            place = self._place
            return "OAUTHBEARER", f"n,a={user},\1host={place.host}\1port={place.port}\1auth=Bearer {token}\1\1"
        return "XOAUTH2", f"user={user}\1auth=Bearer {token}\1\1"

    def _learn(self, ending: Ending) -> None:
        """What the server can do for one who has logged on: it says so at once, or is asked."""
        found = _CAPABILITY.search(ending.text.encode())
        if found:
            self._set_capabilities(found[1])
            return
        [answer] = self.flight(b"CAPABILITY")
        self._set_capabilities(b" ".join(each.data.partition(b" ")[2] for each in answer.untagged))

    def _set_capabilities(self, listed: bytes) -> None:
        self.capabilities = frozenset(listed.decode("ascii", "replace").upper().split()) - {"CAPABILITY"}

    #: What the server can do, once one has logged on.
    capabilities: frozenset[str] = frozenset()

    # --- commands -----------------------------------------------------------------------------------------------------

    def _answers(self, *commands: bytes) -> list[Answer]:
        if not commands:
            return []
        self._beat()
        tags = [b"F%d" % number for number in range(self._sent, self._sent + len(commands))]
        self._sent += len(commands)
        self.client.send(b"".join(b"%s %s\r\n" % pair for pair in zip(tags, commands, strict=True)))
        return [self._answer(tag) for tag in tags]

    def _answer(self, tag: bytes) -> Answer:
        """Everything up to the end of a command. Raises EOFError, with the server's last words, where there is none."""
        untagged: list[Response] = []
        end = tag + b" "
        while line := self.client.readline():
            literals: tuple[bytes, ...] = ()
            if line.endswith(b"}\r\n"):
                line, literals = self._whole(line)
            if line.startswith(b"* "):
                untagged.append(Response(line[2:], literals))
            elif line.startswith(end):
                return Answer(untagged, ending_of(line[len(end) :]))
            elif not line.startswith(b"+"):
                raise broken(line)
        byes = [each.data for each in untagged if each.data[:3].upper() == b"BYE"]
        raise EOFError(b"".join(byes).strip().decode("utf-8", "replace"))

    def _whole(self, line: bytes) -> tuple[bytes, tuple[bytes, ...]]:
        """A response of several lines, and the literals between them. Raises EOFError."""
        literals: list[bytes] = []
        while literal := _LITERAL.search(line):
            size = int(literal[1])
            if size > _LARGEST:
                raise broken(line)
            literals.append(self.client.read(size))
            if len(literals[-1]) < size:
                raise EOFError
            line += self.client.readline()
        return line, tuple(literals)


def accepted(command: str, answer: Answer) -> list[Response]:
    """What a command was answered. Raises MailboxError when it was refused."""
    if answer.ending.status != "OK":
        raise refused(command, answer.ending)
    return answer.untagged
