"""`fanout reproduce`, as its user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fanout.errors import UsageError
from fanout.reproduce import NAMES, chosen, reproduce
from tests.test_cli import fanout
from workers.article import STATEMENTS


def test_every_statement_is_tried() -> None:
    assert {*STATEMENTS, "S9"} == set(NAMES)


def test_statements_are_chosen_by_name_and_tried_in_the_articles_order() -> None:
    assert chosen([]) == list(NAMES)
    assert chosen(["wire", "s10", "S2", "s2"]) == ["S2", "S10", "wire"]
    with pytest.raises(UsageError, match="there is no statement 'S15' to try"):
        chosen(["S1", "S15"])


@pytest.mark.spawns
def test_all_that_the_article_says_holds(tmp_path: Path) -> None:
    done = fanout(tmp_path, "reproduce")

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("        holds\n") == len(NAMES)
    assert "mailboxes open at the same time 1,000; processes 4;" in " ".join(done.stdout.split())
    assert done.stderr.startswith("15 of 15 are as the article says, after ")
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.spawns
def test_machines_get_one_document(tmp_path: Path) -> None:
    done = fanout(tmp_path, "reproduce", "S4", "S3", "--json", "--server", "sim:300?reserved=7")

    document = json.loads(done.stdout)
    assert (done.returncode, document["holds"], document["server"]) == (0, True, "sim:300?reserved=7")
    assert [finding["statement"] for finding in document["findings"]] == ["S3", "S4"]
    assert document["findings"][1]["answers"] == [
        {
            "call": "HrMailboxLogon, one more",
            "code": "0x80004005",
            "name": "MAPI_E_CALL_FAILED",
            "low_level": "NO_FREE_LOGON_INDEX",
        }
    ]


@pytest.mark.spawns
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("S99",), 2, "there is no statement 'S99' to try; there are S1 to S14, and wire"),
        (("--server", "null:5"), 2, "'null:5' does not speak MAPI"),
        (("--server", "imap://127.0.0.1"), 2, "'imap://127.0.0.1' does not speak MAPI"),
        (("--server", "what:5"), 2, "a server's URL begins with one of"),
        (("S1", "--server", "sim:50"), 1, "0 of 1 are as the article says"),
    ],
)
def test_what_cannot_be_tried_does_not_pass(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = fanout(tmp_path, "reproduce", *words)

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("statement", "server", "why"),
    [
        ("S2", "sim:300?reserved=254", "it takes two mailboxes open at a time, and one session holds one"),
        ("S6", "sim:300?denied=u00000003@sim.example", "OpenMsgStore: MAPI_E_NO_ACCESS (0x80070005)"),
        ("S9", "sim:255", "it takes 256 mailboxes, and the server has 255"),
        ("S12", "sim:300?messages=0", "it takes a message, and none of 300 mailboxes has one"),
        ("wire", "sim:300?drop=u00000256@sim.example", "cut off at u00000256@sim.example"),
    ],
)
def test_a_server_that_lacks_what_an_experiment_takes_is_no_evidence(statement: str, server: str, why: str) -> None:
    [finding] = reproduce([statement], server)

    assert (finding.statement, finding.holds, finding.why) == (statement, None, why)


@pytest.mark.parametrize("server", ["sim:600?reserved=250", "sim:600?reserved=0|5|6|100|101|254", "sim:600?folders=1"])
def test_the_article_holds_on_servers_with_few_indexes_and_few_folders(server: str) -> None:
    findings = reproduce([name for name in NAMES if name not in ("S2", "S9")], server)

    assert [finding.statement for finding in findings if not finding.holds] == []
