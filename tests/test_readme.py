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


#: Lines that an example prints, by what it calls; those that only define a job print none.
PRINTED = {"fanout.run(": 40, "fanout.open_all(": 3}


@pytest.mark.spawns
@pytest.mark.parametrize("example", blocks("python"))
def test_the_examples_in_python_run(capsys: pytest.CaptureFixture[str], example: str) -> None:
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})

    printed = next((lines for call, lines in PRINTED.items() if call in example), 0)
    assert len(capsys.readouterr().out.splitlines()) == printed


def test_there_is_an_example_of_each_way_in_python() -> None:
    assert all(any(call in example for example in blocks("python")) for call in PRINTED)


def test_the_table_of_options_is_the_servers_own() -> None:
    for option in option_table():
        row = [f"`{option.name}`", option.form, option.default, option.meaning]
        assert f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" in README


def test_every_command_is_in_the_table_of_commands() -> None:
    for command in cli.commands:
        assert f"| `fanout {command} " in README
