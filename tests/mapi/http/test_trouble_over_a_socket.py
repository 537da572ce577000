"""What can go wrong between the client and a server, over a real socket: it has a cause, and is no wrong number."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mapi.http import webs
from tests.mapi.http.webs import ADMIN, connected, names_of, visited, web
from workers.causes import Cause
from workers.mailbox import Mailbox
from workers.mapi.hresults import MapiError
from workers.mapi.transport import RpcError
from workers.servers import server_at
from workers.simulated.web import Account
from workers.slots import private_slot


def test_a_password_that_is_wrong_is_tried_once() -> None:
    with web("sim:3", account=Account("admin@sim.example", "another")) as server:
        session = connected(server.url)

        with pytest.raises(MapiError) as caught:
            session.check()

        assert caught.value.cause is Cause.CREDENTIALS
        assert "s3cret" not in str(caught.value)
        with pytest.raises(MapiError) as caught:
            names_of(server.url)
        assert caught.value.cause is Cause.CREDENTIALS


def test_a_password_that_is_changed_in_the_middle_is_the_accounts_trouble_and_no_mailboxs() -> None:
    with web("sim:4", account=Account("admin@sim.example", "s3cret")) as server:

        def change(mailbox: Mailbox) -> str:
            server.account = Account("admin@sim.example", "another")
            return mailbox.address

        names = names_of(server.url)
        first, second, third, _ = visited(connected(f"{server.url}?prefetch=1"), 4, change, names)

        assert first == names[0]
        assert second.cause is Cause.UNREACHABLE
        assert third.cause is Cause.CREDENTIALS


@pytest.mark.parametrize(
    ("trick", "cause"),
    [
        (webs.busy, Cause.BUSY),
        (webs.unauthorized, Cause.UNREACHABLE),
        (webs.truncated, Cause.UNREACHABLE),
        (webs.torn, Cause.UNREACHABLE),
        (webs.late, Cause.UNREACHABLE),
        (webs.nonsense, Cause.PROTOCOL),
        (webs.stall, Cause.UNREACHABLE),
    ],
)
def test_trouble_at_one_mailbox_is_that_mailboxs_and_can_pass(trick: webs.Trick, cause: Cause) -> None:
    with web("sim:5", {("Execute", 4): trick}) as server:
        words = "&timeout=1" if trick is webs.stall else ""
        found = visited(
            connected(f"{server.url}?prefetch=1{words}"),
            5,
            lambda mailbox: len(mailbox.folders()),
            names_of(server.url),
        )

        failed = [place for place, each in enumerate(found) if isinstance(each, MapiError)]
        assert failed == [1]
        assert found[1].cause is cause


@pytest.mark.parametrize("trick", [webs.reset, webs.closing, webs.pondering])
def test_a_connection_cut_or_closed_between_requests_and_an_answer_that_takes_long_cost_nothing(
    trick: webs.Trick,
) -> None:
    with web("sim:5", {("Execute", 4): trick}) as server:
        found = visited(
            connected(f"{server.url}?prefetch=1"), 5, lambda mailbox: len(mailbox.folders()), names_of(server.url)
        )

        assert not [each for each in found if isinstance(each, MapiError)]
        assert server.simulated.connections == 1


@pytest.mark.parametrize("trick", [webs.forgotten, webs.hurried, webs.strange])
def test_a_lost_context_costs_the_mailbox_under_way_and_is_made_anew(trick: webs.Trick) -> None:
    with web("sim:5", {("Execute", 3): trick}) as server:
        found = visited(
            connected(f"{server.url}?prefetch=1"), 5, lambda mailbox: len(mailbox.folders()), names_of(server.url)
        )

        assert [isinstance(each, MapiError) for each in found] == [False, True, False, False, False]
        assert found[1].cause is Cause.UNREACHABLE
        assert server.simulated.connections == 2


def test_a_mailbox_without_rights_is_denied_and_never_empty() -> None:
    with web("sim:3?denied=u00000001@sim.example&deny=folders") as server:
        found = visited(connected(server.url), 3, lambda mailbox: len(mailbox.folders()), names_of(server.url))

        assert found[1].cause is Cause.DENIED
        assert found[0]
        assert found[2]


@pytest.mark.parametrize("overflow", ["spec", "recorded"])
def test_answers_without_room_are_made_up_for(overflow: str) -> None:
    here = f"sim:2?folders=900&messages=900&overflow={overflow}"
    with web(here) as server:
        found = visited(connected(server.url), 2, lambda mailbox: len(mailbox.folders()), names_of(server.url))

    assert found == visited(server_at(here).session(private_slot()), 2, lambda mailbox: len(mailbox.folders()))


def test_nobody_listens(unused_port: int) -> None:
    session = connected(f"mapi+http://127.0.0.1:{unused_port}")

    with pytest.raises(MapiError) as caught:
        session.check()

    assert caught.value.cause is Cause.UNREACHABLE
    assert f"127.0.0.1:{unused_port}: [Errno 111] Connection refused" in str(caught.value)


def test_a_server_that_moved_says_where_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(handler: webs.FaultyHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "https://other.example/mapi/emsmdb/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    monkeypatch.setattr(webs, "BEFORE", {moved})
    with web("sim:3", {("Connect", 1): moved}) as server:
        service: Any = server_at(server.url, access=ADMIN)
        with pytest.raises(RpcError, match=r"give https://other\.example"):
            service.profile.transport.connect("")


@pytest.mark.parametrize("trick", [webs.truncated, webs.torn, webs.late, webs.hurried, webs.strange, webs.forgotten])
def test_a_roster_that_breaks_off_is_an_error_and_never_a_shorter_roster(trick: webs.Trick) -> None:
    with web("sim:2500", {("QueryRows", 2): trick}) as server, pytest.raises(MapiError) as caught:
        names_of(server.url)

    assert caught.value.cause is Cause.UNREACHABLE


def test_an_address_book_that_is_busy_or_says_nothing_is_told_of_by_its_cause() -> None:
    with web("sim:3", {("Bind", 1): webs.busy, ("QueryRows", 1): webs.stall}) as server:
        with pytest.raises(MapiError, match="HTTP 503") as caught:
            names_of(server.url)
        assert caught.value.cause is Cause.BUSY

        with pytest.raises(MapiError, match="timed out") as caught:
            names_of(f"{server.url}?timeout=1")
        assert caught.value.cause is Cause.UNREACHABLE


def test_logons_whose_answer_had_no_room_are_made_again_under_the_same_indexes() -> None:
    with web("sim:250?overflow=recorded") as server:
        session = connected(server.url)
        stores = session._session.open_msg_stores([session._dn_of(name) for name in names_of(server.url)])

        assert [store.logon.index for store in stores if not isinstance(store, MapiError)] == [*range(250)]
        assert server.simulated.open_objects(1) == 250
        assert server.simulated.round_trips == 3  # one whose answer was lost, and its two halves
