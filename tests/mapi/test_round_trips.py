from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest

from workers.jobs.census import census
from workers.mapi.mailbox import MapiMailbox, MapiSession
from workers.mapi.profile import Profile
from workers.simulated.server import SimulatedServer, simulated_server
from workers.simulated.stores import mailbox_dn


def session_on(server: SimulatedServer) -> MapiSession:
    return MapiSession(Profile("tests", server, mailbox_dn("admin"), server), mailbox_dn, server.population.address)


def addresses(server: SimulatedServer) -> list[str]:
    return [server.population.address(ordinal) for ordinal in range(len(server.population))]


def mailboxes(server: SimulatedServer) -> Iterator[MapiMailbox]:
    """Each mailbox, closed before the next is opened."""
    with closing(session_on(server)) as session:
        for address in addresses(server):
            with session.open(address) as mailbox:
                yield mailbox


def census_of(server: SimulatedServer) -> list[dict[str, int | str | None]]:
    return [census(mailbox) for mailbox in mailboxes(server)]


def truth(server: SimulatedServer) -> list[dict[str, int]]:
    """The same census, taken from the population itself."""
    trees = [server.population.mailbox(ordinal).subtree() for ordinal in range(len(server.population))]
    return [
        {
            "folders": sum(folder.message_count > 0 for folder in tree),
            "messages": sum(folder.message_count for folder in tree),
            "bytes": sum(folder.size for folder in tree),
            "unread": sum(folder.unread_count for folder in tree),
        }
        for tree in trees
    ]


def test_a_census_of_ten_folders_takes_two_round_trips() -> None:
    server = simulated_server("sim:20?folders=10")

    assert census_of(server) == truth(server)
    assert server.round_trips == 2 * 20


def test_no_mailbox_of_ten_folders_takes_more_than_three_round_trips() -> None:
    server = simulated_server("sim:20?folders=10")
    spent = [0]
    for mailbox in mailboxes(server):
        census(mailbox)
        spent.append(server.round_trips)

    assert max(later - earlier for earlier, later in pairwise(spent)) <= 3


@pytest.mark.parametrize("overflow", ["spec", "recorded"])
def test_a_listing_that_no_reply_can_hold_is_read_to_its_end(overflow: str) -> None:
    server = simulated_server(f"sim:2?folders=2000&messages=4000&overflow={overflow}")

    assert census_of(server) == truth(server)
    assert server.round_trips > 2 * 2


def test_closing_a_mailbox_costs_no_round_trip() -> None:
    server = simulated_server("sim:2")
    session = session_on(server)
    mailbox = session.open(addresses(server)[0])
    mailbox.folders()
    spent = server.round_trips
    mailbox.close()
    session.close()

    assert server.round_trips == spent


def test_the_newest_message_of_each_folder_costs_one_round_trip_a_folder() -> None:
    server = simulated_server("sim:1?folders=10&messages=500")
    for mailbox in mailboxes(server):
        spent = server.round_trips
        found = census(mailbox, newest=True)

        assert server.round_trips == spent + 1 + int(str(found["folders"]))


def test_every_message_is_listed_once_newest_first() -> None:
    server = simulated_server("sim:2?folders=3&messages=900")
    for mailbox in mailboxes(server):
        for folder in mailbox.folders():
            messages = list(folder.messages())
            dates = [message.received for message in messages if message.received]

            assert len({message.message_id for message in messages}) == folder.message_count
            assert sum(message.size for message in messages) == folder.size
            assert dates == sorted(dates, reverse=True)


def test_a_message_is_read_whole_in_as_few_replies_as_hold_it() -> None:
    server = simulated_server("sim:1?folders=2&messages=30")
    for mailbox in mailboxes(server):
        for folder in mailbox.folders():
            for message in folder.messages():
                spent = server.round_trips
                whole = message.read()

                assert len(whole) == message.size
                assert message.subject
                assert b"Subject: " in whole
                assert server.round_trips - spent <= 1 + -(-message.size // 0x7F00)


def test_the_display_name_is_asked_for_once_and_only_when_it_is_wanted() -> None:
    server = simulated_server("sim:1")
    for mailbox in mailboxes(server):
        spent = server.round_trips
        names = {mailbox.display_name, mailbox.display_name}

        assert names == {server.population.mailbox(0).display_name}
        assert server.round_trips == spent + 1


def test_a_census_leaves_nothing_open_on_the_server() -> None:
    server = simulated_server("sim:5?objects=40")
    session = session_on(server)
    for address in addresses(server) * 20:
        with session.open(address) as mailbox:
            census(mailbox, newest=True)
    with session.open(addresses(server)[0]) as last:
        last.folders()
    last.store.logon.connection.flush()

    assert server.open_objects(1) == 0


def test_an_iterator_holds_two_objects_and_lets_go_of_them_while_the_mailbox_is_open() -> None:
    server = simulated_server("sim:1?folders=2&messages=60")
    mailbox = session_on(server).open(addresses(server)[0])
    connection = mailbox.store.logon.connection
    folder = max(mailbox.folders(), key=lambda folder: folder.message_count)
    messages = folder.messages()
    next(messages)

    assert server.open_objects(1) == 1 + 2, "the store, and a folder held by its table"

    list(messages)
    connection.flush()

    assert server.open_objects(1) == 1
