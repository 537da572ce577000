"""The roster worker without its process: a look at the credentials, and what a server lists."""

from __future__ import annotations

import pytest

from tests.fakes import empty_slot
from workers.causes import Cause
from workers.messages import Announced, Listed, ListMailboxes, Names, Unable
from workers.roster import listing
from workers.servers import server_at
from workers.slots import BEATS


@pytest.mark.parametrize("separate", [False, True])
def test_an_account_that_is_refused_is_tried_once_and_nothing_is_listed(separate: bool) -> None:  # noqa: FBT001
    slot = empty_slot()
    server = server_at("sim:5?account=refused", separate_connections=separate)

    (unable,) = listing(server, ListMailboxes(Names.ALL), slot)

    assert isinstance(unable, Unable)
    assert (unable.error.cause, unable.error.code, unable.error.retryable) == (Cause.CREDENTIALS, "0x80040111", False)
    assert slot[BEATS] == 1


@pytest.mark.parametrize("separate", [False, True])
def test_a_look_at_the_credentials_connects_and_disconnects_and_nothing_more(separate: bool) -> None:  # noqa: FBT001
    slot = empty_slot()
    server = server_at("sim:2", separate_connections=separate)

    announced, names, end = listing(server, ListMailboxes(Names.ALL), slot)

    assert isinstance(announced, Announced)
    assert names == Listed(list(server.addresses()))
    assert end == Listed([])
    assert slot[BEATS] == 2


def test_a_server_that_has_no_accounts_refuses_nobody() -> None:
    slot = empty_slot()

    announced, end = listing(server_at("null:5"), ListMailboxes(Names.UNNUMBERED), slot)

    assert isinstance(announced, Announced)
    assert (end, slot[BEATS]) == (Listed([]), 0)
