"""An account that is refused: one attempt, one sentence, exit code 77."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import fanout

pytestmark = pytest.mark.spawns

#: Stands for a session whose connection is lost and made anew when the password has expired; while a file says so.
EXPIRES = """
from pathlib import Path
from workers.causes import Cause, MailboxError

def job(mailbox):
    if mailbox.address == "null-00000003" and Path("expired").exists():
        raise MailboxError("Connect: the password has expired", Cause.CREDENTIALS)
    return 1
"""


@pytest.mark.parametrize(
    "words", [["run", "census", "-o", "r.jsonl", "--run-file", "r.fanout", "-w", "8"], ["mailboxes"], ["plan"]]
)
def test_an_account_that_is_refused_costs_one_clear_sentence_and_leaves_nothing(
    tmp_path: Path, words: list[str]
) -> None:
    done = fanout(tmp_path, *words, "--server", "sim:50?account=refused")

    assert done.returncode == 77
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("fanout: the server refuses the account: Connect: MAPI_E_LOGON_FAILED")
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_credentials_that_expire_in_the_middle_stop_the_run_which_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(EXPIRES)
    (tmp_path / "expired").touch()
    words = ("run", "job.py:job", "--server", "null:10", "-w", "1", "--chunk-size", "2", "--run-file", "r.fanout")

    stopped = fanout(tmp_path, *words)

    assert stopped.returncode == 77
    assert "stopped early: Connect: the password has expired" in stopped.stderr
    assert stopped.stderr.splitlines()[-1] == "3 done, 0 failed, of 10"

    (tmp_path / "expired").unlink()
    assert fanout(tmp_path, "resume", "r.fanout").stderr.splitlines()[-1] == "10 done, 0 failed, of 10"
