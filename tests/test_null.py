from __future__ import annotations

import pytest

from tests.fakes import empty_slot
from workers.null import NullServer
from workers.servers import server_at
from workers.urls import ServerUrlError


def test_the_null_server_has_the_mailboxes_that_its_url_says() -> None:
    server = server_at("null:3")

    assert (server.numbered, server.capacity) == (3, None)
    assert list(server.addresses()) == ["null-00000000", "null-00000001", "null-00000002"]


def test_a_name_is_computed_from_its_ordinal() -> None:
    assert NullServer(10_000_000).address(9_999_999) == "null-09999999"


@pytest.mark.parametrize("url", ["null:", "null:many", "null:-1", "null:1.5", "null:1?seed=2"])
def test_a_null_url_without_a_number_says_what_it_takes(url: str) -> None:
    with pytest.raises(ServerUrlError, match="null: takes the number of mailboxes, as in null:1000"):
        server_at(url)


@pytest.mark.parametrize("url", ["", "null", "gopher:7", "census.jsonl"])
def test_a_url_of_no_known_kind_says_which_are_known(url: str) -> None:
    with pytest.raises(ServerUrlError, match=r"begins with one of .*null:"):
        server_at(url)


def test_a_walk_marks_each_mailbox_in_the_slot_and_computes_its_name() -> None:
    slot = empty_slot()
    walk = server_at("null:100").session(slot).mailboxes(range(7, 10), None, slot)

    seen = [(slot[0], mailbox.address, mailbox.display_name) for mailbox in walk]

    assert seen == [(ordinal, f"null-0000000{ordinal}", f"null-0000000{ordinal}") for ordinal in (7, 8, 9)]


def test_a_walk_over_given_names_keeps_them() -> None:
    slot = empty_slot()
    walk = server_at("null:100").session(slot).mailboxes(range(7, 9), ["anna", "berta"], slot)

    assert [(slot[0], mailbox.address) for mailbox in walk] == [(7, "anna"), (8, "berta")]


def test_fewer_names_than_ordinals_are_a_mistake() -> None:
    walk = server_at("null:100").session(empty_slot()).mailboxes(range(7, 9), ["anna"], empty_slot())

    with pytest.raises(ValueError, match="shorter"):
        list(walk)


def test_a_null_mailbox_is_empty_and_has_nothing_under_it() -> None:
    session = server_at("null:1").session(empty_slot())
    with session.open("anna") as mailbox:
        assert (mailbox.address, mailbox.folders(), mailbox.store) == ("anna", [], None)
    session.close()
