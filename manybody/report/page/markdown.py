"""Document -> Markdown, with the sections, numbers and captions of the page."""

from collections.abc import Callable, Iterator, Sequence

from manybody.report.page.document import PAPER, Document, Part, Section, Table, Text, anchor_of


def to_markdown(document: Document, picture: Callable[[str], str]) -> str:
    """The whole text; `picture`: name -> path of an image."""
    return "\n\n".join(_blocks(document, picture)) + "\n"


def _blocks(document: Document, picture: Callable[[str], str]) -> Iterator[str]:
    yield f"# {document.title}"
    yield from (_linked(line) for line in (document.subtitle, document.date) if line)
    if document.warnings.lines:
        yield _text(document, document.warnings)
    yield "**Contents**"
    yield "\n".join(_contents(document))
    for section in document.sections:
        yield from _section(document, section, picture)


def _contents(document: Document) -> Iterator[str]:
    for number, section in enumerate(document.sections, 1):
        parts = [anchor_of(part) for part in section.parts if not isinstance(part, Text)]
        inner = ", ".join(f"[{document.labels[each]}](#{each})" for each in parts)
        yield f"{number}. [{section.title}](#{anchor_of(section)}){': ' if inner else ''}{inner}"


def _section(document: Document, section: Section, picture: Callable[[str], str]) -> Iterator[str]:
    number = document.labels[anchor_of(section)].split()[1]
    yield f'<a id="{anchor_of(section)}"></a>\n\n## {number} {section.title}'
    for part in section.parts:
        yield _part(document, part, picture)


def _part(document: Document, part: Part, picture: Callable[[str], str]) -> str:
    if isinstance(part, Text):
        return _text(document, part)
    label = document.labels[anchor_of(part)]
    anchor = f'<a id="{anchor_of(part)}"></a>'
    if isinstance(part, Table):
        return f"{anchor}\n\n**{label}.** {_linked(part.caption)} (`{part.name}.csv`)\n\n" + (
            "\n".join(_lines(part))
        )
    command = f" `{part.command}`" if part.command else ""
    image = f"![{label}]({picture(part.name)})"
    return f"{anchor}\n\n{image}\n\n**{label}.** {_linked(part.caption)}{command}"


def _text(document: Document, text: Text) -> str:
    if text.style == "command":
        return "```sh\n" + "\n".join(text.lines) + "\n```"
    lines = [_linked(line) + _reference(document, target) for line, target in text.linked]
    if text.style == "answer":
        return "\n".join(f"* {line}" for line in lines)
    if text.style == "warning":
        return "\n>\n".join(f"> **Warning.** {line}" for line in lines)
    return "\n\n".join(lines)


def _reference(document: Document, target: str) -> str:
    found = document.link(target) if target else None
    return f" [→ {found[1]}](#{found[0]})" if found else ""


def _lines(table: Table) -> Iterator[str]:
    yield _bar(table.head)
    yield _bar(["---"] * len(table.head))
    yield from map(_bar, table.cells)


def _bar(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _linked(text: str) -> str:
    return PAPER.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
