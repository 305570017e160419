"""`manybody docs`: every page, name, command and key on any terminal."""

import argparse
import os
import re
import subprocess
import sys

import pytest

import manybody as mb
from manybody import cli
from manybody.cli.parser import build_parser
from manybody.docs import api
from manybody.docs.command_line import command_line_page
from manybody.docs.pages import FOLDER, GENERATED, listing, page, page_names
from manybody.docs.terminal import shown
from manybody.errors import InputError
from manybody.parallel.signals import OF_TERMINALS
from manybody.system.spelling import spelled

NAMES = page_names()
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")
FENCE = re.compile(r"^```(?:python|sh|toml).*?^```", re.MULTILINE | re.DOTALL)


def test_pages_are_listed_in_the_order_of_the_index():
    files = [path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.md")]
    assert sorted(NAMES) == sorted([*files, *GENERATED])
    assert NAMES[:2] == ["index", "tutorial"] and NAMES[-1] == "glossary"
    linked = re.findall(r"\]\(([\w/-]+)\.md\)", page("index"))
    assert [*dict.fromkeys(linked)] == NAMES[1:]
    lines = listing().splitlines()
    for name in NAMES:
        (line,) = (line for line in lines if line.split()[:1] == [name])
        title = page(name).partition("\n")[0]
        assert title.startswith("# ") and line.endswith(title[2:])


@pytest.mark.parametrize("name", NAMES)
def test_links_of_pages_lead_to_pages_and_headings(name):
    folder = os.path.dirname(name)
    for target, anchor in LINK.findall(page(name)):
        if target and not target.endswith(".md"):
            assert (FOLDER / folder / target).exists(), target
            continue
        wanted = (
            os.path.normpath(os.path.join(folder, target.removesuffix(".md"))) if target else name
        )
        assert wanted in NAMES, target
        assert not anchor or anchor in anchors(page(wanted)), f"{target}#{anchor}"


def anchors(text):
    """Of headings, as GitHub and Sphinx make them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", [*NAMES, *api.public_names()])
def test_everything_fits_100_columns(name, encoding, monkeypatch):
    """What may be copied, code, is not folded."""
    monkeypatch.setenv("COLUMNS", "100")
    text = shown(FENCE.sub("", page(name)), 100, encoding)
    assert text.strip() and text.encode(encoding)
    code = [line for line in text.splitlines() if line.lstrip().startswith((">>>", "..."))]
    wide = [line for line in text.splitlines() if len(line) > 100]
    assert [line for line in wide if line not in code] == []


@pytest.mark.parametrize("width", [40, 80])
def test_text_is_folded_to_the_terminal(width):
    for name in ("index", "keys", "glossary"):
        lines = shown(FENCE.sub("", page(name)), width).splitlines()
        # A word that is longer stays whole.
        assert [line for line in lines if len(line) > width and len(line.split()) > 1] == []


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ("tutorial.md", "# Tutorial"),
        ("own-bath", "# Use a bath of your own"),
        ("how-to/own-bath", "# Use a bath of your own"),
        ("compare", "# mb.compare"),
        ("mb.compare", "# mb.compare"),
        ("manybody.OhmicBath", "# mb.OhmicBath"),
        ("networks.levy_kosloff", "# mb.networks.levy_kosloff"),
        ("STEPPERS", "# mb.STEPPERS"),
        ("InputError", "# mb.InputError"),
        ("run", "# manybody run"),
        ("docs/physics.md", "# The physics"),
        ("group_size", "# group_size\n\n### Top level\n\n`group_size`"),
        ("half form", "# half form\n\n"),
        ("Bohr Frequency", "# Bohr Frequency\n\n"),
        ("Bath", "# mb.Bath\n"),
        ("bath", "# bath\n"),
        ("equations", "# equations\n"),
        ("chebyshev", "# mb.Chebyshev\n"),
    ],
)
def test_pages_by_their_names(wanted, first):
    assert page(wanted).startswith(first)


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("compar", "compare"),
        ("DIRAC_SYK3", "dirac_syk2"),
        ("half forms", "half form"),
        ("parquet", "the word is on "),
        ("tutorials", "tutorial"),
        ("statuss", "status"),
        ("lamb_shifts", "lamb_shift"),
        ("xyzzyq", "'manybody docs' lists the pages"),
        ("../../README", "'manybody docs' lists the pages"),
    ],
)
def test_an_unknown_page_is_answered_with_the_nearest(wanted, near, capsys):
    with pytest.raises(InputError, match=re.escape(near)):
        page(wanted)
    assert cli.main(["docs", wanted]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and near in captured.err


@pytest.mark.parametrize(("columns", "widest"), [("60", 60), ("100", 100), ("200", 100)])
def test_the_command_folds_to_the_terminal(columns, widest, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert cli.main(["docs", "keys"]) == 0
    widths = [len(line) for line in capsys.readouterr().out.splitlines()]
    assert widest - 5 < max(widths) <= widest


def test_an_ascii_terminal_and_a_pipe():
    """What a terminal lacks is spelled out; a pipe has 80 columns."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    environment.pop("COLUMNS", None)
    command = [sys.executable, "-m", "manybody", "docs", "physics"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    text = done.stdout.decode("ascii")
    assert "omega" in text and "Lambda_j" in text and "J_int^2" in text
    assert "\\u" not in text
    assert cli.main(["docs"]) == 0


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("βω_c ≥ 10⁻⁶", "beta omega_c >= 10^-6"),
        ("‖δρ‖₁ − ½γ", "||delta rho||_1 - (1/2) gamma"),
        ("⟨a|Λ_j|b⟩†, Néel, ħ", "<a|Lambda_j|b>+, Neel, hbar"),
        ("plain", "plain"),
    ],
)
def test_spelled(text, plain):
    assert spelled(text, "ascii") == plain
    assert spelled(text, "utf-8") == text


def test_markdown_on_a_terminal():
    text = """# A **title**

One *word* and `code_*`, [a page](glossary.md), [a site](https://example.org/x).
Goes on.

- first item that is long enough to be folded
  and goes on
- second

`key`
: meaning

```python
x = "a line of code that is wider than the terminal is and stays"
```

| a | b |
|---|---|
| 1 | \\|2\\| |
"""
    assert shown(text, 44).splitlines() == [
        "A title",
        "=======",
        "",
        "One word and code_*, a page, a site",
        "(https://example.org/x). Goes on.",
        "",
        "- first item that is long enough to be",
        "  folded and goes on",
        "- second",
        "",
        "key",
        "    meaning",
        "",
        'x = "a line of code that is wider than the terminal is and stays"',
        "",
        "a  b",
        "-  ---",
        "1  |2|",
    ]
    narrow = shown("| name | what it is |\n|---|---|\n| x | a long explanation |", 20)
    assert narrow.splitlines() == ["x", "    what it is: a", "      long", "      explanation"]


def test_docstrings_on_a_narrow_terminal():
    """Paragraphs are folded anew, not line by line; what has a line of its own keeps it."""
    text = """```docstring
A sentence of some length
that goes on.

Parameters
----------
name : a type that is longer than the line
    What it is, in words that
    fill more than one line.
x : int

>>> f(1)
a, b
```"""
    assert shown(text, 24).splitlines() == [
        "A sentence of some",
        "length that goes on.",
        "",
        "Parameters",
        "----------",
        "name : a type that is",
        "    longer than the line",
        "    What it is, in words",
        "    that fill more than",
        "    one line.",
        "x : int",
        "",
        ">>> f(1)",
        "a, b",
    ]


def test_every_public_name_has_a_subject():
    groups = api.by_subject()
    assert all(groups.values())
    names = [name for group in groups.values() for name in group]
    networks = [f"networks.{name}" for name in mb.networks.__all__]
    assert sorted(names) == sorted([*mb.__all__, *networks])
    text = api.api_page()
    assert [name for name in names if f"`{name}`\n: " not in text] == []
    assert "comm=None" in page("compare") and "Parameters" in page("compare")
    assert "`gamma(omega)`" in page("OhmicBath") and "add_note" not in page("InputError")


def test_the_command_line_is_that_of_its_parser():
    text = page("command-line")
    commands = next(
        each.choices
        for each in build_parser()._actions
        if isinstance(each, argparse._SubParsersAction)
    )
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [*commands, "Signals"]
    for name, command in commands.items():
        part = re.split(rf"^## {name}$", text, flags=re.MULTILINE)[1].split("\n## ")[0]
        for action in command._actions:
            for option in set(action.option_strings) - {"-h", "--help"}:
                assert f"`{option}" in part, f"{name} {option}"
        assert "examples:" in part
    for code in ("0", "1", "2", "3", "75", "130"):
        assert re.search(rf"^ +{code}  \w", text, re.MULTILINE), code
    for signal in (*(each.name for each in OF_TERMINALS), "SIGKILL"):
        assert signal in text.partition("## Signals")[2]


def test_any_parser_has_a_page():
    parser = argparse.ArgumentParser(
        "tool", description="Does it.", epilog="exit codes:\n  0  done"
    )
    command = parser.add_subparsers().add_parser("go", help="goes")
    command.add_argument("where", help="a place")
    command.add_argument("--speed", type=int, default=3, metavar="N", help="of it (%(default)s)")
    command.add_argument("--way", choices=["up", "down"], required=True, help="which")
    command.add_argument("-q", "--quiet", action="store_true")
    command.format_usage = lambda: "\x1b[1;34musage:\x1b[0m tool go\n"
    text = command_line_page(parser)
    for part in (
        "```text\nusage: tool go\n```",
        "Does it.",
        "`go`\n: Goes.",
        "exit codes:\n  0  done",
        "## go",
        "`where`\n: A place.",
        "`--speed N`\n: Of it (3).",
        "`--way up|down`\n: Which; required.",
        "`-q`, `--quiet`",
    ):
        assert part in text
