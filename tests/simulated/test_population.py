from __future__ import annotations

import tracemalloc
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.mapi.properties import datetime_of
from workers.simulated.messages import SMALLEST, GeneratedMessages
from workers.simulated.population import GeneratedMailbox, GeneratedPopulation
from workers.simulated.stores import FolderFacts, mailbox_dn

MOST = 10_000_000


def folders_that_hold_mail(mailbox: GeneratedMailbox) -> list[FolderFacts]:
    return [facts for facts in mailbox.subtree() if facts.message_count]


def all_messages(mailbox: GeneratedMailbox) -> list[GeneratedMessages]:
    return [mailbox.messages(facts.folder_id) for facts in folders_that_hold_mail(mailbox)]


def digest_of(population: GeneratedPopulation, *ordinals: int) -> str:
    """Of all that there is to know about some mailboxes."""
    digest = blake2b(digest_size=16)
    for mailbox in map(population.mailbox, ordinals):
        told = (mailbox.address, mailbox.display_name, mailbox.guid, *mailbox.subtree())
        digest.update(repr(told).encode())
        for messages in all_messages(mailbox):
            for row in range(len(messages)):
                digest.update(repr(messages.facts(row)).encode() + messages.read(row))
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_mail_on_every_machine() -> None:
    population = GeneratedPopulation(MOST, seed=7, folders=5, messages=40)

    assert digest_of(population, 0, 1, 4711, MOST - 1) == "44889bb9b2754955d4407eba0a27f075"


def test_another_seed_gives_other_mail() -> None:
    first, second = (GeneratedPopulation(10, seed, messages=20) for seed in (1, 2))

    assert digest_of(first, 3) != digest_of(second, 3)


def test_a_mailbox_is_the_same_however_many_there_are() -> None:
    assert digest_of(GeneratedPopulation(5), 4) == digest_of(GeneratedPopulation(MOST), 4)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 2**64 - 1), st.integers(0, MOST - 1), st.integers(1, 40), st.integers(0, 600))
def test_a_folder_holds_what_its_messages_add_up_to(seed: int, ordinal: int, folders: int, messages: int) -> None:
    mailbox = GeneratedPopulation(MOST, seed, folders, messages).mailbox(ordinal)
    for facts in mailbox.subtree():
        rows = mailbox.messages(facts.folder_id)
        told = [rows.facts(row) for row in range(len(rows))]
        dates = [message.delivered for message in told]

        assert facts.message_count == len(told)
        assert facts.unread_count == sum(not message.read for message in told)
        assert facts.size == sum(message.size for message in told)
        assert dates == sorted(set(dates), key=lambda date: date or 0, reverse=True)
        assert facts.newest == (dates[0] if dates else None)
        assert all(message.size >= SMALLEST for message in told)
        assert [rows.row_of(message.message_id) for message in told] == list(range(len(told)))
        assert {message.folder_id for message in told} <= {facts.folder_id}


def test_even_an_enormous_folder_adds_up() -> None:
    mailbox = GeneratedPopulation(1, seed=3, folders=1, messages=100_000).mailbox(0)
    [inbox] = folders_that_hold_mail(mailbox)
    messages = mailbox.messages(inbox.folder_id)
    told = [messages.facts(row) for row in range(len(messages))]

    assert len(told) > 10_000
    assert sum(message.size for message in told) == inbox.size
    assert len({message.delivered for message in told}) == len(told)


def test_every_message_is_as_long_as_it_says_and_says_the_same_as_its_row() -> None:
    mailbox = GeneratedPopulation(9, seed=2, folders=4, messages=60).mailbox(5)
    for messages in all_messages(mailbox):
        for row in range(len(messages)):
            facts, content = messages.facts(row), messages.read(row)
            parsed = message_from_bytes(content)

            assert len(content) == facts.size
            assert content.endswith(b"\r\n")
            assert content.count(b"\n") == content.count(b"\r\n")
            assert all(len(line) <= 100 for line in content.splitlines())
            assert str(make_header(decode_header(parsed["Subject"]))) == facts.subject
            assert parsed["Message-ID"] == facts.internet_message_id
            assert parsed["From"].endswith(f"<{facts.sender_address}>")
            assert parsed["To"] == mailbox.address
            assert parsedate_to_datetime(parsed["Date"]) == datetime_of(facts.delivered or 0)


def test_message_ids_are_unique_in_a_mailbox() -> None:
    mailbox = GeneratedPopulation(9, messages=300).mailbox(5)
    told = [messages.facts(row) for messages in all_messages(mailbox) for row in range(len(messages))]

    assert len({facts.message_id for facts in told}) == len(told)
    assert len({facts.internet_message_id for facts in told}) == len(told)


def test_mailboxes_differ_around_the_average() -> None:
    population = GeneratedPopulation(MOST)
    counts = [sum(facts.message_count for facts in population.mailbox(i).subtree()) for i in range(2000)]

    assert 190 < sum(counts) / len(counts) < 215
    assert max(counts) > 1000
    assert min(counts) >= 10, "each folder holds something"


@pytest.mark.parametrize("folders", [1, 2, 3, 4, 10, 16, 33])
def test_as_many_folders_hold_mail_as_were_asked_for(folders: int) -> None:
    population = GeneratedPopulation(100, folders=folders, messages=2 * folders)

    assert {len(folders_that_hold_mail(population.mailbox(i))) for i in range(100)} == {folders}


def test_mailboxes_can_be_empty() -> None:
    mailbox = GeneratedPopulation(1, messages=0).mailbox(0)

    assert folders_that_hold_mail(mailbox) == []
    assert {facts.size for facts in mailbox.subtree()} == {0}
    assert len(mailbox.messages(mailbox.subtree()[0].folder_id)) == 0


def test_a_folder_tree_has_parents_before_children_and_names_unique_below_a_parent() -> None:
    population = GeneratedPopulation(64, folders=40, messages=40)
    for ordinal in range(64):
        mailbox = population.mailbox(ordinal)
        depths = {facts.folder_id: facts.depth for facts in mailbox.subtree()}
        seen: set[int] = set()
        for facts in mailbox.subtree():
            if facts.depth > 1:
                assert facts.parent_id in seen
                assert depths[facts.parent_id] == facts.depth - 1
            seen.add(facts.folder_id)
        parents = {facts.parent_id for facts in mailbox.subtree()}
        places = {(facts.parent_id, facts.name) for facts in mailbox.subtree()}

        assert len(places) == len(mailbox.subtree())
        assert {facts.folder_id for facts in mailbox.subtree() if facts.has_subfolders} == parents & seen


def test_some_names_are_not_ascii_and_some_folders_are_nested() -> None:
    found = [facts for i in range(20) for facts in GeneratedPopulation(20).mailbox(i).subtree()]

    assert any(not facts.name.isascii() for facts in found)
    assert max(facts.depth for facts in found) > 2


def test_no_two_mailboxes_share_a_folder_id() -> None:
    population = GeneratedPopulation(MOST)
    ids = [facts.folder_id for i in (0, 1, 255, 256, MOST - 1) for facts in population.mailbox(i).subtree()]

    assert len(set(ids)) == len(ids)
    assert {folder_id & 0xFFFF for folder_id in ids} == {1}


@given(st.integers(0, MOST - 1))
@settings(derandomize=True, deadline=None)
def test_a_dn_leads_back_to_its_mailbox_in_any_letter_case(ordinal: int) -> None:
    population = GeneratedPopulation(MOST)
    dn = mailbox_dn(population.address(ordinal))

    assert population.ordinal(dn) == population.ordinal(dn.upper()) == ordinal


@pytest.mark.parametrize(
    "name",
    ["u00000100@sim.example", "u0000001@sim.example", "u00000001", "u00000001@sim.example.org", "u-0000001@sim.example",
     "u\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661@sim.example", "nobody", ""],
)  # fmt: skip
def test_no_other_dn_means_anybody(name: str) -> None:
    prefix = mailbox_dn("")

    assert GeneratedPopulation(100).ordinal(prefix + name) is None
    assert GeneratedPopulation(100).ordinal(name) is None


def test_names_stand_where_they_stand_whatever_the_number() -> None:
    assert GeneratedPopulation(1).address(0) == "u00000000@sim.example"
    assert GeneratedPopulation(MOST).address(MOST - 1) == "u09999999@sim.example"


def test_some_mailboxes_were_never_used() -> None:
    population = GeneratedPopulation(500)
    last = [population.last_logon(ordinal) for ordinal in range(500)]

    assert 10 < last.count(None) < 60
    assert {moment.year for moment in last if moment} == {2025}


def test_ten_million_mailboxes_take_no_memory() -> None:
    population = GeneratedPopulation(MOST)
    population.mailbox(0).subtree()
    tracemalloc.start()
    for ordinal in range(0, MOST, 5000):
        population.mailbox(ordinal).subtree()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(population) == MOST
    assert kept < 100_000  # bytes; the trees of sixteen variants among them
