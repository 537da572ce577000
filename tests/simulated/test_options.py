from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.simulated.options import (
    Account,
    Delay,
    Denial,
    Fault,
    Overflow,
    Share,
    SimulatedOptions,
    option_table,
    parse_options,
)
from workers.urls import ServerUrlError


def test_a_number_is_so_many_generated_mailboxes_and_all_else_has_a_default() -> None:
    assert parse_options("sim:2000") == SimulatedOptions(source=2000)


def test_anything_else_is_a_directory() -> None:
    assert parse_options("sim:mail/2000").source == Path("mail/2000")
    assert parse_options("sim:./2000").source == Path("2000")
    assert parse_options("sim:~/mail").source == Path.home() / "mail"
    assert parse_options("sim:~nobody knows/mail").source == Path("~nobody knows/mail")


def test_every_option_is_read_into_its_type() -> None:
    url = (
        "sim:9?seed=7&folders=3&messages=40&latency=2ms&connect=0.5s&reserved=5&sessions=32&objects=unlimited"
        "&backoff=2&account=refused&overflow=recorded&deny=folders&missing=0.01&denied=1%&slow=a,B&hang=0&busy=100%&drop=x%2Cy,"
    )

    assert parse_options(url) == SimulatedOptions(
        source=9,
        seed=7,
        folders=3,
        messages=40,
        latency=Delay(0.002),
        connect=Delay(0.5),
        reserved=frozenset(range(5)),
        sessions=32,
        objects=None,
        backoff=2,
        account=Account.REFUSED,
        overflow=Overflow.RECORDED,
        deny=Denial.FOLDERS,
        missing=Share(0.01),
        denied=Share(0.01),
        slow=Share(names=frozenset({"a", "b"})),
        hang=Share(0.0),
        busy=Share(1.0),
        drop=Share(names=frozenset({"x,y"})),
    )


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("0", Delay(0.0)),
        ("150us", Delay(0.00015)),
        ("2ms", Delay(0.002)),
        ("1.5s", Delay(1.5)),
        ("lognormal(2ms,1.5)", Delay(0.002, 1.5)),
        ("lognormal(2ms, 0)", Delay(0.002)),
    ],
)
def test_a_duration_has_a_unit(text: str, delay: Delay) -> None:
    assert parse_options(f"sim:1?latency={text}").latency == delay


@pytest.mark.parametrize(
    ("text", "indexes"),
    [("0", set()), ("2", {0, 1}), ("7|", {7}), ("0|7|254", {0, 7, 254}), ("254", set(range(254)))],
)
def test_a_count_of_reserved_indexes_takes_the_lowest_and_a_list_takes_itself(text: str, indexes: set[int]) -> None:
    assert parse_options(f"sim:1?reserved={text}").reserved == indexes


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("imap:5", "does not begin with 'sim:'"),
        ("sim:", "needs a number of mailboxes (sim:2000) or a directory"),
        ("sim:?seed=1", "needs a number of mailboxes"),
        ("sim:0", "from 1 to 10,000,000 mailboxes"),
        ("sim:10000001", "a directory of this name is sim:./10000001"),
        (f"sim:{10**30}", "from 1 to 10,000,000 mailboxes"),
        ("sim:mail?folders=3", "folders: only for generated mailboxes"),
        ("sim:mail?messages=3", "messages: only for generated mailboxes"),
        ("sim:5?speed=1", "speed: sim: has no such option; it has account, backoff, busy,"),
        ("sim:5?seed", "seed: needs a value, seed=N"),
        ("sim:5?seed=1&seed=2", "seed: given twice"),
        ("sim:5?seed=-1", "seed=-1: allowed is a whole number from 0 to"),
        ("sim:5?folders=0", "folders=0: allowed is a whole number from 1 to 10,000"),
        ("sim:5?latency=2", "latency=2: allowed is a duration, 2ms"),
        ("sim:5?latency=lognormal(2ms)", "lognormal(2ms,1.5) with median and sigma"),
        ("sim:5?reserved=255", "reserved=255: allowed is a count from 0 to 254"),
        ("sim:5?reserved=1|255", "indexes from 0 to 254 as in 0|7|254"),
        ("sim:5?sessions=0", "sessions=0: allowed is a whole number from 1 to 1,000,000, or 'unlimited'"),
        ("sim:5?overflow=maybe", "overflow=maybe: allowed is spec or recorded"),
        ("sim:5?deny=all", "deny=all: allowed is logon or folders"),
        ("sim:5?missing=1.5", "missing=1.5: allowed is a fraction from 0 to 1"),
        ("sim:5?missing=101%", "missing=101%: allowed is a fraction"),
        ("sim:5?missing=%", "missing=%: allowed is a fraction"),
        ("sim:5?missing=.", "missing=.: allowed is a fraction"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_what_is_allowed(url: str, complaint: str) -> None:
    with pytest.raises(ServerUrlError) as caught:
        parse_options(url)

    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text("sim:?=&|,.%0123456789abcdefghijlmnopqrstuvwxyz()-_", max_size=40))
def test_no_words_make_the_parser_fail_with_anything_else(words: str) -> None:
    with suppress(ServerUrlError):
        parse_options(f"sim:{words}")


def test_the_table_tells_every_option_with_its_default() -> None:
    table = option_table()

    assert [option.name for option in table][:5] == ["seed", "folders", "messages", "latency", "connect"]
    assert {option.name for option in table} >= {fault.value for fault in Fault}
    assert {option.default for option in table} >= {"0", "10", "200", "none", "unlimited", "spec", "logon"}
    assert all(option.form and option.meaning for option in table)


def test_the_faults_are_those_that_any_mailbox_has() -> None:
    options = parse_options("sim:5?missing=1%&hang=0&drop=a")

    assert options.faults == {Fault.MISSING: Share(0.01), Fault.DROP: Share(names=frozenset({"a"}))}


def test_a_lognormal_delay_lies_around_its_median() -> None:
    random = Random(1)
    drawn = sorted(Delay(0.002, 1.5).draw(random) for _ in range(2001))

    assert 0.0015 < drawn[1000] < 0.0025
    assert drawn[-1] > 10 * drawn[1000]
    assert Delay(0.002).draw(random) == 0.002
