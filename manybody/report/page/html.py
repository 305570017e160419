"""Document -> one HTML file: no script, no font, no picture from elsewhere."""

import html
import re
from collections.abc import Callable, Iterator, Sequence

from manybody.report.page.document import (
    PAPER,
    Document,
    Part,
    Picture,
    Section,
    Table,
    Text,
    anchor_of,
    slug,
)
from manybody.report.page.drawing import Panel
from manybody.report.page.style import STYLE

# Pixels of a page for a point of a figure: where panels may not become smaller, and larger.
_LEAST, _MOST = 1.2, 1.7
# Panels that stay on one sheet of paper.
_ON_A_SHEET = 6
# Letters from which a cell is a sentence, which may be broken.
_LONG = 44
# e^{−βω}, N^-c and N^1.2(3); A_j, J_int, ω_c, k_B, Σ_{i<j}: names of files and figures have more
# letters on both sides.
_RAISED = re.compile(
    r"\^(\{[^{}]*\}|[-−]?(?:\d+(?:\.\d+)?(?:\(\d+\))?|[A-Za-zα-ω]\b|\(\d(?:,\d)*\)))"
)
# A letter, also with a bar over it, or a bracket.
_BEFORE = r"(?<=[^\W_\d]|[\])\u0304])"
_LOWERED = re.compile(
    rf"(?<![A-Za-z0-9]{{2}}){_BEFORE}_(⟨\w+⟩|int|(?:exact|Gibbs|Davies|Redfield)\b|"
    r"[A-Za-z]{1,2}(?![A-Za-z])|[α-ω]|\d(?![\w.])|[-+](?![\d>]))"
)
_LOWERED_TOGETHER = re.compile(_BEFORE + r"_(\{[^{}]*\})")
_POWER = re.compile(r"(?<=[\d)])e([-+]\d+)\b")


def to_html(document: Document) -> str:
    """The whole page."""
    inside = "\n".join(_body(document))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escaped(document.title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{inside}\n</body>\n</html>\n"
    )


def _body(document: Document) -> Iterator[str]:
    yield f"<header><h1>{_escaped(document.title)}</h1>"
    for line in filter(None, (document.subtitle, document.date)):
        yield f'<p class="note">{_inline(line)}</p>'
    yield "</header>"
    yield _text(document, document.warnings)
    yield from _contents(document)
    for section in document.sections:
        yield from _section(document, section)


def _contents(document: Document) -> Iterator[str]:
    yield '<nav aria-label="Contents"><b>Contents</b>\n<ol>'
    for section in document.sections:
        parts = [anchor_of(part) for part in section.parts if not isinstance(part, Text)]
        links = "".join(
            f'<li><a href="#{anchor}">{document.labels[anchor]}</a></li> ' for anchor in parts
        )
        inner = f"<ul>{links}</ul>" if links else ""
        title = _escaped(section.title)
        yield f'<li><a href="#{anchor_of(section)}">{title}</a>{inner}</li>'
    yield "</ol></nav>"


def _section(document: Document, section: Section) -> Iterator[str]:
    number = document.labels[anchor_of(section)].split()[1]
    heading = f"{number}&ensp;{_escaped(section.title)}"
    keep = '<div class="keep">' if _is_short(section.parts[0]) else ""
    yield f'<section id="{anchor_of(section)}">{keep}<h2>{heading}</h2>'
    first, *rest = section.parts
    kept = _is_short(first)
    if kept:
        yield _part(document, first) + "</div>"
    for part in rest if kept else section.parts:
        yield _part(document, part)
    yield "</section>"


def _is_short(part: Part) -> bool:
    """Whether it stays on the sheet of paper of the heading above it."""
    if isinstance(part, Picture):
        return len(part.drawing.panels) <= _ON_A_SHEET
    return isinstance(part, Text) and len(part.lines) <= _ON_A_SHEET


def _part(document: Document, part: Part) -> str:
    if isinstance(part, Picture):
        return _picture(document, part)
    return _text(document, part) if isinstance(part, Text) else _table(document, part)


def _picture(document: Document, picture: Picture) -> str:
    anchor = anchor_of(picture)
    label = document.labels[anchor]
    parts = picture.drawing.parts(f"{slug(picture.name)}-")
    width = max(panel.box[2] for panel, _ in parts if not panel.is_wide)
    least, most = (f"{factor * width:.0f}px" for factor in (_LEAST, _MOST))
    kind = "panels" if len(parts) > 1 else "panels whole"
    size = "small" if len(parts) <= _ON_A_SHEET else "large"
    panels = "\n".join(_panel(panel, svg) for panel, svg in parts)
    words = _escaped(f"{label}. {picture.caption}")
    caption = _prose(picture.caption)
    command = f" <code>{_escaped(picture.command)}</code>" if picture.command else ""
    return (
        f'<figure id="{anchor}" class="{size}"><div class="{kind}" role="img" '
        f'aria-label="{words}" style="--least: {least}; --most: {most}">{panels}</div>\n'
        f"<figcaption><b>{label}.</b> {caption}{command}</figcaption></figure>"
    )


def _panel(panel: Panel, svg: str) -> str:
    box = " ".join(f"{each:.1f}" for each in panel.box)
    if not panel.is_wide:
        return f'<svg viewBox="{box}" aria-hidden="true">{svg}</svg>'
    width = _LEAST * panel.box[2]
    size = f"min-width: {width:.0f}px; max-width: {width:.0f}px"
    own = f'<svg viewBox="{box}" aria-hidden="true" style="{size}">{svg}</svg>'
    return f'<div class="wide">{own}</div>'


def _text(document: Document, text: Text) -> str:
    lines = [_prose(line) + _reference(document, target) for line, target in text.linked]
    if not lines:
        return ""
    if text.style in ("answer", "warning"):
        items = "".join(f"<li>{line}</li>" for line in lines)
        return f'<ul class="{text.style}">{items}</ul>'
    if text.style == "command":
        return "<pre>" + "\n".join(map(_escaped, text.lines)) + "</pre>"
    kind = "" if text.style == "plain" else f' class="{text.style}"'
    return "\n".join(f"<p{kind}>{line}</p>" for line in lines)


def _reference(document: Document, target: str) -> str:
    found = document.link(target) if target else None
    if found is None:
        return ""
    return f' <a class="reference" href="#{found[0]}">→ {found[1]}</a>'


def _table(document: Document, table: Table) -> str:
    anchor, head, rows = anchor_of(table), table.head, table.cells
    label = document.labels[anchor]
    marks = [_mark([row[index] for row in rows]) for index in range(len(head))]
    first = _grouping(head, rows)
    top = "".join(_cell("th", mark, cell) for mark, cell in zip(marks[first:], head[first:]))
    bodies = _grouped(rows, marks) if first else [_rows(rows, marks, "<tbody>")]
    caption = _escaped(f"{label}. {table.title}")
    return (
        f'<div class="table" id="{anchor}"><p class="caption"><b>{label}.</b> '
        f"{_prose(table.caption)} ({_escaped(table.name)}.csv)</p>\n"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}">'
        f"<table><thead><tr>{top}</tr></thead>\n{''.join(bodies)}</table></div></div>"
    )


def _grouping(head: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """1 where rows come under the title of their system, which the first column repeats."""
    names = [row[0] for row in rows]
    return int(head[0] == "system" and len(head) > 2 and len(set(names)) < len(names))


def _grouped(rows: Sequence[Sequence[str]], marks: Sequence[str]) -> Iterator[str]:
    """A body a run of rows of one system."""
    start = 0
    for stop in range(1, len(rows) + 1):
        if stop == len(rows) or rows[stop][0] != rows[start][0]:
            title = (
                f'<th colspan="{len(marks) - 1}" scope="rowgroup">{_inline(rows[start][0])}</th>'
            )
            own = [row[1:] for row in rows[start:stop]]
            yield _rows(own, marks[1:], f'<tbody class="group"><tr>{title}</tr>')
            start = stop


def _rows(rows: Sequence[Sequence[str]], marks: Sequence[str], opening: str) -> str:
    lines = [
        "<tr>" + "".join(_cell("td", m, cell) for m, cell in zip(marks, row)) + "</tr>"
        for row in rows
    ]
    return opening + "\n".join(lines) + "</tbody>\n"


def _cell(tag: str, mark: str, cell: str) -> str:
    words = mark if tag == "td" else mark.replace(" long", "")
    kind = f' class="{words}"' if words else ""
    return f"<{tag}{kind}>{_inline(cell)}</{tag}>"


def _mark(cells: Sequence[str]) -> str:
    """The class of a column: numbers, words or sentences."""
    if not any(map(_is_word, cells)):
        return ""
    return "word long" if max(map(len, cells)) > _LONG else "word"


def _is_word(cell: str) -> bool:
    is_text = bool(cell) and cell[0].isalpha() and cell not in ("nan", "inf")
    return is_text or ", " in cell


def _inline(text: str) -> str:
    """Escaped, with links to papers, and what is raised or lowered in mathematics."""
    found = PAPER.sub(r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>', _escaped(text))
    found = _LOWERED_TOGETHER.sub(_tagged("sub"), _LOWERED.sub(_tagged("sub"), found))
    return _RAISED.sub(_tagged("sup"), found)


def _prose(text: str) -> str:
    """The same with powers of ten: 4.1e-15 is broken at its sign, and read badly."""
    return _POWER.sub(lambda match: f"·10<sup>{int(match[1])}</sup>", _inline(text))


def _tagged(tag: str) -> Callable[[re.Match[str]], str]:
    return lambda match: f"<{tag}>{match[1].strip('{}')}</{tag}>"


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
