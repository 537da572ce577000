"""The article's experiments: each holds as things are, and none would if what it is about were otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from workers.article import STATEMENTS, Finding, Laboratory, held_together, statements, try_statement
from workers.mapi import MapiError
from workers.mapi.interfaces import Interface
from workers.mapi.logons import LogonIndexTable
from workers.mapi.profile import Profile
from workers.mapi.subsystem import Subsystem
from workers.servers import server_at


def laboratory(url: str = "sim:310?messages=20&folders=3") -> Laboratory:
    server: Any = server_at(url)
    return Laboratory(server)


def attempt(name: str, url: str = "sim:310?messages=20&folders=3") -> Finding:
    return try_statement(name, laboratory(url))


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_holds(name: str) -> None:
    finding = attempt(name)

    assert (finding.holds, finding.why) == (True, "")
    assert finding.says
    assert finding.tried
    assert finding.answers or finding.figures


@pytest.mark.parametrize("name", ["S1", "S3", "S4", "S5", "S8", "S11", "S12", "S14"])
def test_a_statement_holds_where_indexes_are_reserved_too(name: str) -> None:
    assert attempt(name, "sim:310?messages=20&folders=3&reserved=3").holds


def test_the_codes_are_those_of_the_article() -> None:
    codes = {answer.code for name in ("S3", "S4") for answer in attempt(name).answers}

    assert codes == {"0x8004011D", "0x80004005"}


def test_what_separate_connections_cost_is_measured() -> None:
    figures = {figure.what: figure.value for figure in attempt("S10").figures}

    assert (figures["connections, without the flag"], figures["connections, with the flag"]) == (1, 250)
    assert figures["memory, with the flag"] > figures["memory, without the flag"] > 0
    assert figures["time, with the flag"] > 0


def test_a_server_with_too_few_mailboxes_is_no_proof_of_anything() -> None:
    finding = attempt("S1", "sim:10")

    assert finding.holds is None
    assert finding.why == "it takes 256 mailboxes, and the server has 10"


def test_a_server_that_refuses_is_no_proof_of_anything() -> None:
    finding = attempt("S1", "sim:300?missing=0.1")

    assert finding.holds is None
    assert "MAPI_E_NOT_FOUND" in finding.why


@pytest.mark.parametrize("name", ["S1", "S3", "S4", "S5", "S11"])
def test_without_a_table_that_refuses_the_ceiling_does_not_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = LogonIndexTable.acquire

    def acquire(table: LogonIndexTable) -> int:
        try:
            return issue(table)
        except Exception:  # noqa: BLE001 - whatever says that it is full
            return 255

    monkeypatch.setattr(LogonIndexTable, "acquire", acquire)
    monkeypatch.setattr("workers.article.laboratory.capacity", lambda _: 255 if name != "S5" else 256)

    assert attempt(name).holds is False


def test_a_table_that_issues_reserved_values_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.mapi.logons._mask", lambda _: (1 << 255) - 1)

    assert attempt("S6").holds is False


def test_an_index_that_is_not_used_again_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LogonIndexTable, "release", lambda *_: None)

    assert attempt("S7").holds is None  # no mailbox can be opened in the end
    assert attempt("S8").holds is False


def test_a_flag_that_is_not_heeded_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Profile, "separate_connections", property(lambda _: False))

    assert attempt("S10").holds is None


def test_a_store_that_goes_though_something_on_it_is_open_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Interface.release

    def at_once(interface: Interface) -> None:
        release(interface)
        if interface.kind == "IMsgStore":
            interface.logon.connection.end(interface.logon)

    monkeypatch.setattr(Interface, "release", at_once)

    assert attempt("S12").holds is False


def test_a_release_that_does_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interface, "_let_go", lambda _: None)

    assert not attempt("S13").holds


def test_an_uninitialize_that_finds_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    end = Subsystem.uninitialize
    monkeypatch.setattr(Subsystem, "uninitialize", lambda subsystem: end(subsystem)[:1])

    assert attempt("S14").holds is False


def test_a_server_that_keeps_the_first_logon_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_use", lambda *_: None)

    assert attempt("wire").holds is False


def test_a_store_without_folders_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_folders", lambda _: 0)

    assert attempt("S2").holds is False


def test_the_laboratory_leaves_nothing_open() -> None:
    lab = laboratory()
    with lab.session() as session:
        stores = lab.open(session, 3)

    assert not any(store.is_open for store in stores)
    with pytest.raises(MapiError, match="INVALID_OBJECT"):
        session.open_msg_store(lab.dn(0))


@pytest.mark.parametrize(
    ("open_at_once", "workers", "holds"),
    [([250] * 1000, 4, True), ([250] * 999, 4, False), ([256] * 1000, 4, False), ([250] * 1000, 1, False)],
)
def test_parts_hold_every_mailbox_together_each_below_the_ceiling(
    open_at_once: list[int], workers: int, *, holds: bool
) -> None:
    assert held_together(open_at_once, 249, workers, 1000).finding("S9", "").holds is holds
