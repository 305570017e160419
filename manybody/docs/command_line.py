"""The reference of the command line, made of its parser."""

import argparse
import re
from collections.abc import Iterator

from manybody.cli.parser import commands_of

# New Pythons paint a usage for the terminal that they find.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_SIGNALS = """\
## Signals

`manybody run` ends after what is at hand on SIGUSR1, SIGTERM and SIGHUP, with exit code 75, and on
SIGINT (Ctrl-C), with 130; a second Ctrl-C ends it at once. What is finished, and checkpoints of
large samples, are in the store, and the same command goes on. The templates in `slurm/` have
SIGUSR1 sent before the time is up. SIGKILL ends everything at once: finished blocks are safe then
too. All other commands end at once and leave nothing half-written.
"""


def command_line_page(parser: argparse.ArgumentParser) -> str:
    """The page, in Markdown: every command with its options, examples and exit codes."""
    parts = ["# The command line", "\n".join(_about(parser))]
    for name, command in commands_of(parser).items():
        parts += [f"## {name}", "\n".join(_about(command))]
    return "\n\n".join([*parts, _SIGNALS])


def command_page(command: argparse.ArgumentParser) -> str:
    """What the page says of one command."""
    return "\n".join([f"# {command.prog}", "", *_about(command)])


def _about(parser: argparse.ArgumentParser) -> Iterator[str]:
    if parser.description:
        yield " ".join(parser.description.split()) + "\n"
    yield f"```text\n{_COLOURS.sub('', parser.format_usage()).strip()}\n```\n"
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            yield f"{_names(action)}\n: {_help(parser, action)}\n"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action._choices_actions:
                yield f"`{each.dest}`\n: {_capital(each.help)}.\n"
    if parser.epilog:
        yield f"```text\n{parser.epilog.strip()}\n```\n"


def _names(action: argparse.Action) -> str:
    """As on the command line: `--ranks N`, or `DIR`."""
    value = action.metavar or action.dest.upper()
    if action.choices is not None:
        value = "|".join(map(str, action.choices))
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    shown = "" if action.nargs == 0 else f" {value}"
    return ", ".join(f"`{name}{shown}`" for name in action.option_strings)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    text = _COLOURS.sub("", text)
    needed = "required" if action.required and action.option_strings else ""
    return f"{_capital('; '.join(filter(None, [text, needed])))}."


def _capital(text: str | None) -> str:
    return (text or "")[:1].upper() + (text or "")[1:].removesuffix(".")
