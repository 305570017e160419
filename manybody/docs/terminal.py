"""Markdown for a terminal: no marks but those that help, folded to a width."""

import re
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

from manybody.system.spelling import spelled

Spell = Callable[[str], str]
_DOCSTRING = "docstring"
_CODE = ("python", "sh", "bash", "console", "toml", "json")
# What begins a line of its own: items of lists and definitions, headings, quotations.
_ITEM = re.compile(r"(\s*)([-*] |\d+\. |: |> )(.*)")
# What stands alone in a docstring: rules, parameters with their types, items, examples.
_ALONE = re.compile(r"\s*(-{3,}$|[-*] |>>>|\.\.\. )|.* : ")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)")


def shown(markdown: str, width: int, encoding: str = "utf-8") -> str:
    """A page as a terminal of so many columns and this encoding shows it; code is not folded."""
    lines: list[str] = []
    for kind, part in groupby(_marked(markdown.splitlines()), key=lambda line: line[0]):
        texts = [text for _, text in part]
        lines += _SHOWN[kind](texts, width, partial(spelled, encoding=encoding))
    return "\n".join(lines).strip("\n") + "\n"


def _marked(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Every line with what it is of: code, a block, a table, a heading or text."""
    fence = kind = ""
    for line in lines:
        opening = re.match(r"\s*(```+|~~~+)\s*(\w*)", line)
        if fence or opening:
            if opening and not fence:
                fence, kind = opening[1], _fenced(opening[2])
            elif line.strip() == fence:
                fence = ""
            else:
                yield kind, line
        elif line.startswith("|"):
            yield "table", line
        elif line.startswith("#"):
            yield "heading", line
        else:
            yield "text", line


def _fenced(language: str) -> str:
    if language == _DOCSTRING:
        return language
    return "code" if language in _CODE else "block"


def _code(lines: list[str], width: int, spell: Spell) -> list[str]:
    """As it stands, set in where there is room."""
    texts = list(map(spell, lines))
    indent = " " * max(0, min(4, width - max(map(len, texts))))
    return [(indent + text).rstrip() for text in texts]


def _block(lines: list[str], width: int, spell: Spell) -> list[str]:
    """What is no code, formulas for one: too long a line is folded."""
    found = []
    for line in map(spell, lines):
        deeper = re.match(r"\s*", line)[0] + "    "  # type: ignore[index]
        fits = len(line) <= width
        found += [line] if fits else textwrap.wrap(line, width, subsequent_indent=deeper)
    return _code(found, width, spell)


def _docstring(lines: list[str], width: int, spell: Spell) -> list[str]:
    """Paragraphs with a line that is too long are folded anew; all else as a block."""
    found: list[str] = []
    for (alone, indent), part in groupby(map(spell, lines), key=_place):
        texts = list(part)
        if alone is None and max(map(len, texts)) > width:
            joined = " ".join(text.strip() for text in texts)
            texts = textwrap.wrap(joined, width, initial_indent=indent, subsequent_indent=indent)
        found += texts
    return _block(found, width, lambda text: text)


def _place(line: str) -> tuple[str | None, str]:
    """Of which paragraph a line is: where it stands alone its text, and how far it is set in."""
    indent = re.match(r"\s*", line)[0]  # type: ignore[index]
    return (line if _ALONE.match(line) or not line.strip() else None), indent


def _headings(lines: list[str], width: int, spell: Spell) -> list[str]:
    found = []
    for line in lines:
        marks, _, title = line.partition(" ")
        text = spell(_plain(title))
        rule = {1: "=", 2: "-"}.get(len(marks))
        found += [*textwrap.wrap(text, width), *([rule * min(len(text), width)] if rule else [])]
    return found


def _texts(lines: list[str], width: int, spell: Spell) -> list[str]:
    """Paragraphs and items, folded; an indented line goes on with the item above."""
    found: list[str] = []
    for paragraph in _paragraphs(lines):
        item = _ITEM.match(paragraph)
        indent = item[1] if item else re.match(r"\s*", paragraph)[0]  # type: ignore[index]
        mark, rest = (item[2], item[3]) if item else ("", paragraph.strip())
        first = indent + ("    " if mark == ": " else mark)
        found += textwrap.wrap(
            spell(_plain(rest)),
            width,
            initial_indent=first,
            subsequent_indent=" " * len(first),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return found


def _paragraphs(lines: list[str]) -> Iterator[str]:
    held = ""
    for line in lines:
        if held and line.strip() and not _ITEM.match(line):
            held += " " + line.strip()
            continue
        if held:
            yield held
        held = line if line.strip() else ""
        if not held:
            yield ""
    if held:
        yield held


def _table(lines: list[str], width: int, spell: Spell) -> list[str]:
    """Columns under each other, or where they do not fit row by row."""
    rows = [
        [spell(_plain(cell.strip())) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        for line in lines
        if not re.fullmatch(r"[|:\-\s]+", line)
    ]
    count = max(map(len, rows))
    rows = [row + [""] * (count - len(row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(count)]
    if sum(widths) + 2 * (count - 1) > width:
        return _rows(rows[0], rows[1:], width)
    aligned = [
        "  ".join(cell.ljust(own) for cell, own in zip(row, widths)).rstrip() for row in rows
    ]
    return [aligned[0], "  ".join("-" * own for own in widths), *aligned[1:]]


def _rows(header: list[str], rows: list[list[str]], width: int) -> list[str]:
    found = []
    for row in rows:
        first, *others = row
        found += textwrap.wrap(first, width) or [""]
        for name, cell in zip(header[1:], others):
            text = f"{name}: {cell}" if name else cell
            found += textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="      ")
    return found


def _plain(text: str) -> str:
    """Without the marks of stress and links; code keeps what it says."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(
        part.strip("`") if part.startswith("`") and len(part) > 1 else _unmarked(part)
        for part in parts
    )


def _unmarked(text: str) -> str:
    text = _LINK.sub(_link, text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"\1", text)
    text = re.sub(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])", r"\1", text)
    return re.sub(r"\\([\\|*_#`\[\]])", r"\1", text)


def _link(match: re.Match[str]) -> str:
    """The words of a link, and where it leads if that is out of these pages."""
    words, target = match[1], match[2]
    return f"{words} ({target})" if "://" in target and target != words else words


_SHOWN = {
    "code": _code,
    "block": _block,
    _DOCSTRING: _docstring,
    "heading": _headings,
    "text": _texts,
    "table": _table,
}
