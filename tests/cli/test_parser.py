"""What every command says of itself."""

import argparse
import re
import shlex

import pytest

from manybody.cli.parser import build_parser


def commands():
    """Name -> parser of a command."""
    (action,) = (
        each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction)
    )
    return action.choices


COMMANDS = sorted(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_is_for_with_examples_and_exit_codes(name):
    parser = commands()[name]
    assert re.search(r"\w\.$", parser.description)
    shown, codes = parser.epilog.split("\n\nexit codes:\n")
    examples = [line.split("manybody ")[1].split(" > ")[0] for line in shown.splitlines()[1:]]
    assert examples and {build_parser().parse_args(shlex.split(e)).command for e in examples} == {
        name
    }
    assert {"0", "1", "2"} <= set(re.findall(r"^ +(\d+)  \w", codes, re.MULTILINE))
    unexplained = [each.dest for each in parser._actions if not each.help]
    assert unexplained == []


@pytest.mark.parametrize("columns", ["80", "100", "200"])
def test_help_fits_the_terminal_and_100_columns(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    every = [build_parser(), *commands().values()]
    assert max(len(line) for p in every for line in p.format_help().splitlines()) <= min(
        100, int(columns)
    )
