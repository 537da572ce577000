"""Generated Maildirs: small, with folders whose names and messages whose headers are as odd as they come."""

from __future__ import annotations

from pathlib import Path

FOLDERS = ("", ".Sent", ".Arch&APw-v", ".Projects.A &- B", ".Empty")


def address(number: int) -> str:
    return f"u{number:03}@lab.example"


def make(homes: Path, count: int) -> dict[str, dict[str, int]]:
    """Make `count` mailboxes; the census of each."""
    return {address(number): _mailbox(homes / address(number) / "Maildir", number) for number in range(count)}


def _mailbox(maildir: Path, number: int) -> dict[str, int]:
    census = {"folders": 0, "messages": 0, "bytes": 0, "unread": 0}
    for place, folder in enumerate(FOLDERS):
        held = 0 if folder == ".Empty" else (number * 7 + place * 3) % 5 + (place == 0)
        for kind in ("cur", "new", "tmp"):
            (maildir / folder / kind).mkdir(parents=True)
        for at in range(held):
            seen = (number + at) % 3 > 0
            text = message(number, place, at)
            kind, name = ("cur", ":2,S") if seen else ("new", "")
            (maildir / folder / kind / f"{1_760_000_000 + at}.M{at}P1.lab{name}").write_bytes(text)
            census["bytes"] += len(text)
            census["unread"] += not seen
        census["folders"] += bool(held)
        census["messages"] += held
    return census


def message(number: int, place: int, at: int) -> bytes:
    """With CRLF, so that a file has as many bytes as the server counts."""
    return (
        f"From: =?utf-8?q?J=C3=BCrgen?= <u{number}@lab.example>\r\nSubject: {place}.{at}\r\n"
        f"Message-ID: <{number}.{place}.{at}@lab.example>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n"
        f"{'text ' * (number % 40)}\r\n"
    ).encode()
