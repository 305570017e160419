"""What a report is made of: sections of texts, numbered tables and numbered figures."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from manybody.report.analysis.numbers import with_error
from manybody.report.page.drawing import Drawing

# What a page shows of a number that does not exist.
NONE = "–"
# What pages link to.
PAPER = re.compile(r"arXiv[: ](\d{4}\.\d{4,5})")


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None or nan."""
    return value is None or (isinstance(value, float) and math.isnan(value))


@dataclass(frozen=True)
class Column:
    """A column of a table.

    name: in the CSV; label: in the report, empty where it is not shown; write: a value as the
    report shows it; error: the column of its error, with which it is shown as value(error) then.
    """

    name: str
    label: str = ""
    write: Callable[[Any], str] = str
    error: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of raw values, one a column; `name`.csv has all of them with every digit.

    note: to follow the title in the caption, what its columns mean and under which conditions.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""

    @property
    def shown(self) -> list[int]:
        """Which columns the report shows."""
        return [index for index, column in enumerate(self.columns) if column.label]

    @property
    def head(self) -> list[str]:
        """Labels of the columns that are shown."""
        return [self.columns[index].label for index in self.shown]

    @cached_property
    def cells(self) -> list[list[str]]:
        """What is shown of every row."""
        return [[self._cell(row, index) for index in self.shown] for row in self.rows]

    @property
    def caption(self) -> str:
        """Title and note, with what the sign of a missing number means where there is one."""
        title = self.title.rstrip(".")
        if any(cell == NONE for row in self.cells for cell in row):
            title += f" ({NONE}: no such number)"
        return f"{title}. {self.note}".strip()

    def _cell(self, row: tuple[Any, ...], index: int) -> str:
        column, value = self.columns[index], row[index]
        names = [each.name for each in self.columns]
        error: Any = row[names.index(column.error)] if column.error else None
        if is_missing(value) or is_missing(error):
            return column.write(value)
        return with_error(value, error)


@dataclass(frozen=True)
class Picture:
    """A figure, its caption, and the command that draws it again."""

    name: str
    caption: str
    drawing: Drawing
    command: str = ""


@dataclass(frozen=True)
class Text:
    """Paragraphs.

    style: plain, answer (a list of findings), warning, note, formula or command; targets: names
    of the table, figure or section that each line is about, in their order, empty for none.
    """

    lines: tuple[str, ...]
    style: str = "plain"
    targets: tuple[str, ...] = ()

    @property
    def linked(self) -> list[tuple[str, str]]:
        """Every line with its target."""
        targets = (*self.targets, *[""] * len(self.lines))
        return list(zip(self.lines, targets))


Part = Text | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what is under it."""

    title: str
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """Of its anchor."""
        return slug(self.title)


def without_nothing(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Sections that say something, without the texts and tables in them that do not."""
    known = [replace(each, parts=tuple(filter(_says, each.parts))) for each in sections]
    return tuple(each for each in known if each.parts)


def _says(part: Part) -> bool:
    """Whether it says something."""
    if isinstance(part, Picture):
        return True
    return bool(part.lines if isinstance(part, Text) else part.rows)


@dataclass(frozen=True)
class Document:
    """A report; date: of its writing, and what wrote it; warnings: what stands above all."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    date: str = ""
    warnings: Text = Text((), "warning")

    @cached_property
    def labels(self) -> dict[str, str]:
        """Anchor -> "Figure 1", "Table 1" or number of a section, each counted from the top."""
        found: dict[str, str] = {}
        counts = {"Figure": 0, "Table": 0, "Section": 0}
        for anchor, word in self._anchors():
            if anchor not in found:
                counts[word] += 1
                found[anchor] = f"{word} {counts[word]}"
        return found

    def _anchors(self) -> Iterator[tuple[str, str]]:
        for section in self.sections:
            yield anchor_of(section), "Section"
            for part in section.parts:
                if not isinstance(part, Text):
                    yield anchor_of(part), "Figure" if isinstance(part, Picture) else "Table"

    def link(self, target: str) -> tuple[str, str] | None:
        """Anchor and label of a figure, else table, else section of this name; None if there is
        none."""
        anchors = [f"{kind}-{slug(target)}" for kind in ("figure", "table", "section")]
        return next(((each, self.labels[each]) for each in anchors if each in self.labels), None)


def anchor_of(part: Table | Picture | Section) -> str:
    """What links to it."""
    kinds = {Table: "table", Picture: "figure", Section: "section"}
    return f"{kinds[type(part)]}-{slug(part.name)}"


def slug(text: str) -> str:
    """Small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"
