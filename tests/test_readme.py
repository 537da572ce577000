"""The README is true: its example runs, its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fanout.cli import cli
from workers.simulated.options import option_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_two_blocks_are_the_two_commands_each_one_line() -> None:
    first, second = re.findall(r"^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[:2]

    assert first.count("\n") == second.count("\n") == 1
    assert first.rstrip().endswith("fanout run census --server sim:2000 -o census.jsonl")
    assert second.rstrip().endswith("pytest -n auto")


@pytest.mark.spawns
@pytest.mark.parametrize(("place", "lines"), [(0, 40), (1, 3)], ids=["run", "open_all"])
def test_the_examples_in_python_run(capsys: pytest.CaptureFixture[str], place: int, lines: int) -> None:
    example = blocks("python")[place]

    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})

    assert len(blocks("python")) == 2
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_the_table_of_options_is_the_servers_own() -> None:
    for option in option_table():
        row = [f"`{option.name}`", option.form, option.default, option.meaning]
        assert f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" in README


def test_every_command_is_in_the_table_of_commands() -> None:
    for command in cli.commands:
        assert f"| `fanout {command} " in README
