"""All pages by name: those written here as Markdown, and those that are generated."""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from manybody.cli.parser import build_parser
from manybody.docs.api import api_page, name_page, public_names
from manybody.docs.command_line import command_line_page, command_page, commands_of
from manybody.docs.keys import entries_of, key_names, keys_page
from manybody.errors import InputError

FOLDER = Path(__file__).parent
INDEX = "index"
_MORE = """\
`manybody docs PAGE` shows one; `manybody docs compare` a public name of Python,
`manybody docs run` a command, and `manybody docs group_size` a key of a study.
"""


def _command_line() -> str:
    return command_line_page(build_parser())


GENERATED: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"keys": keys_page, "command-line": _command_line, "api": api_page}
)


def page_names() -> list[str]:
    """Names of all pages, in the order in which the first one, the index, names them."""
    written = [
        path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.md")
    ]
    linked = re.findall(r"\]\(([\w/-]+)\.md", (FOLDER / f"{INDEX}.md").read_text("utf-8"))
    order = {name: place for place, name in enumerate([INDEX, *linked])}
    names = [*written, *GENERATED]
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def page(name: str) -> str:
    """A page in Markdown, by its name; or what there is on a public name, a command or a key.

    The last part of the name of a page is enough.  Raises InputError naming the nearest names.
    """
    known = page_names()
    wanted = name.removesuffix(".md")
    ends = [each for each in known if each == wanted or each.rpartition("/")[2] == wanted]
    if ends:
        return _text_of(ends[0])
    python = name.removeprefix("mb.").removeprefix("manybody.")
    if python in public_names():
        return name_page(python)
    commands = commands_of(build_parser())
    if name in commands:
        return command_page(commands[name])
    found = entries_of(name)
    if found:
        return f"# The key {name}\n\n{found}\n"
    near = _nearest(name, [*known, *public_names(), *commands, *key_names()])
    raise InputError(
        f"docs {name!r}: no page, name of Python, command or key of a study is called so; {near}"
    )


def _text_of(name: str) -> str:
    if name in GENERATED:
        return GENERATED[name]()
    return (FOLDER / f"{name}.md").read_text("utf-8")


def _nearest(name: str, known: list[str]) -> str:
    by_letters = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_letters, 4)
    if near:
        return f"near are {', '.join(by_letters[each] for each in near)}"
    return "'manybody docs' lists the pages"


def listing() -> str:
    """The title of every page, by its name, in Markdown."""
    names = page_names()
    titles = [_text_of(name).partition("\n")[0].removeprefix("# ") for name in names]
    wide = max(map(len, names))
    lines = [f"{name:<{wide}}  {title}" for name, title in zip(names, titles)]
    return "\n".join(["```text", *lines, "```", "", _MORE])
