"""A page of the documentation as a Jupyter notebook: one source of both.

Cost:    a second.
Launch:  .venv/bin/python scripts/page_to_notebook.py manybody/docs/tutorial.md [tutorial.ipynb]

Python becomes a cell, a shell command one of %%bash, what the page says to save under a name one
of %%writefile; everything else, results among it, stays text.  Needs nbformat, which comes with
Jupyter.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Words behind the language of a fence: what is shown for reading, not for running here.
SHOWN = {"cluster", "long", "setup", "shown"}
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page: its language, the words behind that, and its text."""

    language: str
    words: tuple[str, ...]
    text: str

    @property
    def file(self) -> str:
        """The name to save it under, empty for none: ```toml file=study.toml."""
        names = [word.removeprefix("file=") for word in self.words if word.startswith("file=")]
        return names[0] if names else ""

    @property
    def is_shown(self) -> bool:
        """Whether it is there to be read alone."""
        runs = self.language in ("python", "sh") or bool(self.file)
        return not runs or bool(SHOWN & {*self.words})


def parts_of(page: str) -> Iterator[str | Fence]:
    """The text between the fences of a page, and the fences, in their order."""
    end = 0
    for found in _FENCE.finditer(page):
        yield page[end : found.start()]
        yield Fence(found[1], tuple(found[2].split()), found[3])
        end = found.end()
    yield page[end:]


def fences_of(page: str) -> list[Fence]:
    """The fences of a page."""
    return [part for part in parts_of(page) if isinstance(part, Fence)]


def notebook_of(page: str) -> Any:
    """A page as a notebook."""
    from nbformat import v4

    cells = []
    for part in parts_of(page):
        text = part if isinstance(part, str) else _shown(part)
        if isinstance(part, Fence) and not part.is_shown:
            cells.append(v4.new_code_cell(_magic(part) + part.text.rstrip("\n")))
        elif cells and cells[-1].cell_type == "markdown":
            cells[-1].source += text
        elif text.strip():
            cells.append(v4.new_markdown_cell(text))
    return v4.new_notebook(cells=cells)


def _shown(fence: Fence) -> str:
    return f"```{fence.language}\n{fence.text}```"


def _magic(fence: Fence) -> str:
    if fence.file:
        return f"%%writefile {fence.file}\n"
    return "%%bash\n" if fence.language == "sh" else ""


def main(page: str, target: str = "") -> None:
    """Write the notebook of a page."""
    import nbformat

    notebook = notebook_of(Path(page).read_text("utf-8"))
    nbformat.write(notebook, target or Path(page).with_suffix(".ipynb").name)


if __name__ == "__main__":
    main(*sys.argv[1:])
