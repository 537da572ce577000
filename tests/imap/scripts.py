"""A server that says what a test has it say, on a socket of loopback."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

GREETING = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready"
ABLE = "IMAP4rev1 LIST-EXTENDED LIST-STATUS STATUS=SIZE"

#: What ends the connection instead of an answer, and what says nothing at all.
CUT, SILENCE = "<cut>", "<silence>"


class Script:
    """Answers, by the beginnings of the commands that they are for; `{tag}` in them is the command's."""

    def __init__(self, answers: dict[str, str | list[str]], greeting: str = GREETING) -> None:
        """A list is answered one after the other, the last of it for ever."""
        self.answers: dict[str, str | list[str]] = {
            "CAPABILITY": f"* CAPABILITY {ABLE}\r\n{{tag}} OK done",
            "LOGIN": f"{{tag}} OK [CAPABILITY {ABLE}] in",
            "LOGOUT": CUT,
            "CONTINUED": "{tag} OK in",
            **answers,
        }
        self.greeting = greeting
        self.heard: list[str] = []
        self.released = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            if not self._say(connection, self.greeting):
                return
            tag, answer = "", ""
            for line in lines:
                command = line.decode().strip()
                if answer.startswith("+"):  # the client goes on with what it was asked for
                    answer = self._answer("CONTINUED")
                else:
                    tag, _, command = command.partition(" ")
                    answer = self._answer(command)
                self.heard.append(command)
                if not self._say(connection, answer.replace("{tag}", tag)):
                    return

    def _answer(self, command: str) -> str:
        for beginning, answer in self.answers.items():
            if re.match(beginning, command):
                if isinstance(answer, list):
                    return answer.pop(0) if len(answer) > 1 else answer[0]
                return answer
        return "{tag} BAD what is that?"

    def _say(self, connection: socket.socket, text: str) -> bool:
        if text == SILENCE:
            self.released.wait()
        if text in {CUT, SILENCE}:
            return False
        connection.sendall(text.encode("utf-8", "surrogateescape") + b"\r\n")
        return not text.startswith("* BYE")


@contextmanager
def scripted(answers: dict[str, str | list[str]], greeting: str = GREETING) -> Iterator[Script]:
    script = Script(answers, greeting)
    thread = threading.Thread(target=script.serve)
    thread.start()
    try:
        yield script
    finally:
        script.close()
        thread.join()
