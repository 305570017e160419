"""All pages by name: those written here as Markdown, and those that are generated."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from manybody.cli.parser import build_parser, commands_of
from manybody.docs.api import api_page, name_page, public_names
from manybody.docs.command_line import command_line_page, command_page
from manybody.docs.keys import entries_of, key_names, keys_page
from manybody.errors import InputError

FOLDER = Path(__file__).parent
INDEX, GLOSSARY = "index", "glossary"
_MORE = """\
`manybody docs PAGE` shows one; `manybody docs compare` a public name of Python,
`manybody docs run` a command, `manybody docs group_size` a key of a study, and
`manybody docs gap` a word of the glossary.
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
    """A page in Markdown, by its name; or what there is on a name of Python, a command or a word.

    The last part of the name of a page is enough.  Words are headings of pages, those of the
    glossary among them, keys and tables of studies.  Raises InputError naming what is near.
    """
    for look in (_page, _python, _command, _word, _python_in_any_case):
        if text := look(name):
            return text
    raise InputError(
        f"docs {name!r}: no page, name of Python, command, key or word of the glossary; "
        f"{_nearest(name)}"
    )


def _page(name: str) -> str:
    wanted = name.removeprefix("docs/").removesuffix(".md")
    known = page_names()
    found = [each for each in known if wanted in (each, each.rpartition("/")[2])]
    return _text_of(found[0]) if found else ""


def _text_of(name: str) -> str:
    if name in GENERATED:
        return GENERATED[name]()
    return (FOLDER / f"{name}.md").read_text("utf-8")


def _python(name: str) -> str:
    wanted = name.removeprefix("mb.").removeprefix("manybody.")
    return name_page(wanted) if wanted in public_names() else ""


def _python_in_any_case(name: str) -> str:
    found = [each for each in public_names() if each.lower() == name.lower()]
    return name_page(found[0]) if found else ""


def _command(name: str) -> str:
    commands = commands_of(build_parser())
    return command_page(commands[name]) if name in commands else ""


def _word(name: str) -> str:
    """What pages have under this heading, and studies by this name."""
    parts = [*_headed(name), entries_of(name)]
    found = "\n\n".join(filter(None, parts))
    return f"# {name}\n\n{found}\n" if found else ""


def _headed(name: str) -> Iterator[str]:
    for each, heading, text in _headings():
        if heading.lower() == name.lower():
            yield f"{text.strip()}\n\n(`manybody docs {each}`)"


def _headings() -> Iterator[tuple[str, str, str]]:
    """(page, heading, what stands below it up to the next) of all that are written."""
    for name in page_names():
        if name not in GENERATED:
            parts = re.split(r"^##+ (.+)$", _text_of(name), flags=re.MULTILINE)
            for heading, text in zip(parts[1::2], parts[2::2]):
                yield name, heading, text


def _nearest(name: str) -> str:
    words = [heading for page, heading, _ in _headings() if page == GLOSSARY]
    known = [*page_names(), *public_names(), *commands_of(build_parser()), *key_names(), *words]
    by_letters = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_letters, 4)
    if near:
        return f"near are {', '.join(by_letters[each] for each in near)}"
    inside = [each for each in page_names() if name.lower() in _text_of(each).lower()]
    return f"the word is on {', '.join(inside)}" if inside else "'manybody docs' lists the pages"


def listing() -> str:
    """The title of every page, by its name, in Markdown."""
    names = page_names()
    titles = [_text_of(name).partition("\n")[0].removeprefix("# ") for name in names]
    wide = max(map(len, names))
    lines = [f"{name:<{wide}}  {title}" for name, title in zip(names, titles)]
    return "\n".join(["```text", *lines, "```", "", _MORE])
