"""What a report is made of, and its two written forms: HTML in one file, and Markdown."""

import base64
import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fdfdfc; --faint: #5d6775;
  --line: #d8dce2; --shade: #f2f4f6; --accent: #20639b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --paper: #14181d; --faint: #9aa5b3; --line: #343b45;
    --shade: #1d232a; --accent: #7fb8e6; }
  figure img { filter: invert(1) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.2rem 1rem 4rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .6rem 0; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); }
p, li { max-width: 46rem; }
ul.answer { list-style: none; padding: 0; }
ul.answer li { border-left: 4px solid var(--accent); background: var(--shade); margin: .5rem 0;
  padding: .5rem .9rem; }
.table { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: .3rem; }
th, td { padding: .22rem .6rem; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid var(--line); font-weight: 600; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.word, th.word { text-align: left; }
tbody tr:nth-child(even) { background: var(--shade); }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption, .note { color: var(--faint); font-size: .88rem; }
pre { background: var(--shade); padding: .6rem .8rem; overflow-x: auto; font-size: .82rem; }
@media (max-width: 40rem) {
  figure { overflow-x: auto; }
  figure img { max-width: none; min-width: 34rem; }
}
@media print {
  :root { --ink: #000; --paper: #fff; --faint: #444; --line: #bbb; --shade: #f4f4f4; }
  body { max-width: none; font-size: 10.5pt; }
  figure img { filter: none; }
  figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  table { font-size: 7.5pt; }
  .table { overflow: visible; }
  pre { white-space: pre-wrap; }
}
"""


# What a page shows of a number that does not exist.
NONE = "–"


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None or nan."""
    return value is None or (isinstance(value, float) and math.isnan(value))


@dataclass(frozen=True)
class Column:
    """A column of a table.

    name: in the CSV; label: in the report, empty where it is not shown; write: a value as the
    report shows it.
    """

    name: str
    label: str = ""
    write: Callable[[Any], str] = str


@dataclass(frozen=True)
class Table:
    """Rows of raw values, one a column; `name`.csv has all of them with every digit."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def shown(self) -> list[int]:
        """Which columns the report shows."""
        return [index for index, column in enumerate(self.columns) if column.label]


@dataclass(frozen=True)
class Picture:
    """A figure as SVG text, its caption, and the command that draws it again."""

    name: str
    caption: str
    svg: str
    command: str = ""


@dataclass(frozen=True)
class Text:
    """Paragraphs; `style` is plain, answer (a list of findings), note or command."""

    lines: tuple[str, ...]
    style: str = "plain"


@dataclass(frozen=True)
class Section:
    """A heading and what is under it."""

    title: str
    parts: tuple[Text | Table | Picture, ...]


@dataclass(frozen=True)
class Document:
    """A report."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]


def to_html(document: Document) -> str:
    """One file: no script, no font, no picture from elsewhere."""
    body = [
        f"<h1>{_escape(document.title)}</h1>",
        f'<p class="note">{_escape(document.subtitle)}</p>',
    ]
    for section in document.sections:
        body.append(f"<section><h2>{_escape(section.title)}</h2>")
        body += [_html_part(part) for part in section.parts]
        body.append("</section>")
    inside = "\n".join(body)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{inside}\n</body>\n</html>\n"
    )


def _html_part(part: Text | Table | Picture) -> str:
    if isinstance(part, Picture):
        data = base64.b64encode(part.svg.encode()).decode()
        words = _escape(part.caption)
        return (
            f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{words}">'
            f"<figcaption>{words}{_html_command(part)}</figcaption></figure>"
        )
    if isinstance(part, Text):
        lines = [_escape(line) for line in part.lines]
        if part.style == "answer":
            return '<ul class="answer">' + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"
        if part.style == "command":
            return "<pre>" + "\n".join(lines) + "</pre>"
        kind = ' class="note"' if part.style == "note" else ""
        return "\n".join(f"<p{kind}>{line}</p>" for line in lines)
    head, rows = _cells(part)
    are_words = [any(_is_word(row[index]) for row in rows) for index in range(len(head))]
    marks = [' class="word"' if is_word else "" for is_word in are_words]
    top = "".join(f"<th{mark}>{_escape(cell)}</th>" for mark, cell in zip(marks, head))
    body = "\n".join(
        "<tr>" + "".join(f"<td{m}>{_escape(c)}</td>" for m, c in zip(marks, row)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="table"><table><caption>{_escape(_caption(part.title, rows))} '
        f"({part.name}.csv)</caption>"
        f"<thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def _html_command(picture: Picture) -> str:
    return f" <code>{_escape(picture.command)}</code>" if picture.command else ""


def to_markdown(document: Document, picture: Callable[[str], str]) -> str:
    """The same for a repository or a notebook; `picture`: name -> path of an image."""
    found = [f"# {document.title}", document.subtitle]
    for section in document.sections:
        found.append(f"## {section.title}")
        for part in section.parts:
            if isinstance(part, Picture):
                command = f" `{part.command}`" if part.command else ""
                image = f"![{part.caption}]({picture(part.name)})"
                found.append(f"{image}\n\n{part.caption}{command}")
            elif isinstance(part, Table):
                head, rows = _cells(part)
                lines = [
                    f"{_caption(part.title, rows)} (`{part.name}.csv`)",
                    "",
                    _bar(head),
                    _bar(["---"] * len(head)),
                ]
                found.append("\n".join([*lines, *(_bar(row) for row in rows)]))
            elif part.style == "command":
                found.append("```sh\n" + "\n".join(part.lines) + "\n```")
            elif part.style == "answer":
                found.append("\n".join(f"* {line}" for line in part.lines))
            else:
                found.append("\n\n".join(part.lines))
    return "\n\n".join(found) + "\n"


def _cells(table: Table) -> tuple[list[str], list[list[str]]]:
    shown = table.shown
    head = [table.columns[index].label for index in shown]
    return head, [[table.columns[i].write(row[i]) for i in shown] for row in table.rows]


def _caption(title: str, rows: list[list[str]]) -> str:
    """The title, with what the sign of a missing number means where there is one."""
    missing = any(cell == NONE for row in rows for cell in row)
    return f"{title}; {NONE} where there is no such number" if missing else title


def _bar(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _is_word(cell: str) -> bool:
    return bool(cell) and cell[0].isalpha() and cell not in ("nan", "inf")


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
