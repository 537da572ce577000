from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner

from fanout.cli import cli, words
from fanout.machine import share_of_memory
from fanout.policy import Limits, MaxFailures, Policy
from fanout.roster import Shard
from fanout.workplace import ThisMachine
from workers.messages import MAX_RESULT

CONTEXT = click.Context(cli)
OPTION = click.Option(["--option"])


@pytest.mark.parametrize(
    ("take", "text", "value"),
    [
        (words.seconds, "90", 90.0),
        (words.seconds, "1.5s", 1.5),
        (words.seconds, "2m", 120.0),
        (words.seconds, "2h", 7200.0),
        (words.seconds, "0", None),
        (words.seconds, "none", None),
        (words.size, "1000", 1000),
        (words.size, "512M", 2**29),
        (words.size, "2g", 2**31),
        (words.size, "1.5GiB", 3 * 2**29),
        (words.size, "64KB", 2**16),
        (words.size, None, None),
        (words.largest_result, None, MAX_RESULT),
        (words.largest_result, "1M", 2**20),
        (words.rate, "50", 50.0),
        (words.rate, "50/s", 50.0),
        (words.rate, "600/m", 10.0),
        (words.rate, "1800/h", 0.5),
        (words.rate, None, None),
        (words.max_failures, "20", MaxFailures(number=20)),
        (words.max_failures, "0", MaxFailures(number=0)),
        (words.max_failures, "5%", MaxFailures(share=0.05)),
        (words.max_failures, None, None),
        (words.chunk_size, "auto", None),
        (words.chunk_size, "25", 25),
        (words.shard, "2/3", Shard((2,), 3)),
    ],
)
def test_a_word_stands_for_a_value(take: Callable[..., object], text: str | None, value: object) -> None:
    assert take(CONTEXT, OPTION, text) == value


@pytest.mark.parametrize(
    ("take", "text"),
    [
        *((words.seconds, text) for text in ("", "-1", "soon", "5x", "1e3", "nan", "٣")),
        *((words.size, text) for text in ("", "0", "-5M", "M", "5X", "0.5")),
        *((words.largest_result, text) for text in ("0", "129M")),
        *((words.rate, text) for text in ("", "0", "0/s", "5/d", "/s", "-5")),
        *((words.max_failures, text) for text in ("", "-1", "101%", "%", "some", "1.5")),
        *((words.chunk_size, text) for text in ("0", "-1", "some", "")),
        *((words.shard, text) for text in ("0/3", "4/3", "1", "a/b")),
    ],
)
def test_a_word_that_stands_for_nothing_is_refused_and_said_again(take: Callable[..., object], text: str) -> None:
    with pytest.raises(click.BadParameter, match=f"^{text!r}".replace("+", ".")):
        take(CONTEXT, OPTION, text)


@pytest.mark.parametrize(("cores", "servers", "each"), [(8, 1, 8), (8, 2, 4), (8, 3, 2), (2, 50, 1)])
def test_where_nobody_says_how_many_workers_servers_share_them_and_each_has_one(
    cores: int, servers: int, each: int
) -> None:
    class Cores(ThisMachine):
        workers = cores

    assert words.share_of_workers(Cores(), servers) == each


def test_what_is_said_of_trouble_is_the_policy() -> None:
    command = click.Command("run", params=[])
    for option in words.TROUBLE:
        option(command)
    given: dict[str, Any] = command.make_context("run", []).params

    assert words.policy_of(given, 2) == Policy(Limits(max_rss=share_of_memory(2)))
    given = command.make_context("run", ["--stall-timeout", "none", "--retries", "5", "--max-rss", "1G"]).params
    policy = words.policy_of(given, 2)
    assert (policy.limits.stall_timeout, policy.retries, policy.limits.max_rss) == (None, 5, 2**30)


def test_a_terminal_shows_what_others_have_written_and_obeys_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    words.show("printed:\nbox\t\x1b[31mred \udcff")
    words.say("run file: \x1b]0;title\x07.fanout")

    assert capsys.readouterr() == (
        "printed:\nbox\t\ufffd[31mred \ufffd\n",
        "run file: \ufffd]0;title\ufffd.fanout\n",
    )


def test_no_command_is_cut_off_in_the_list_of_all() -> None:
    listed = CliRunner().invoke(cli, ["--help"], terminal_width=80).output.partition("Commands:")[2].split("\n")

    assert [line for line in listed if line.endswith("...")] == []
    assert len([line for line in listed if line.strip()]) == len(cli.commands)
