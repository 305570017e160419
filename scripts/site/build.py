"""The static site of the documentation: python build.py FOLDER, see scripts/docs.sh."""

import sys
from collections.abc import Iterator
from pathlib import Path

from manybody.docs.api import INTRODUCTION, by_subject, find, summary
from manybody.docs.pages import page, page_names

HERE = Path(__file__).parent


def main(folder: str) -> int:
    """Write the pages that Sphinx reads, and have it build FOLDER/html; returns its exit code."""
    from sphinx.cmd.build import main as sphinx

    pages = Path(folder, "pages")
    write_pages(pages)
    # -E and -a: nothing of an earlier call, whose warnings would be gone.
    options = ["-W", "--keep-going", "-q", "-E", "-a", "-b", "html", "-c", str(HERE)]
    return int(sphinx([*options, "-d", f"{folder}/doctrees", str(pages), f"{folder}/html"]))


def write_pages(folder: Path) -> None:
    """Every page as a file; those of Python names say to Sphinx where docstrings are."""
    for name in page_names():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = python_names() if name == "api" else page(name)
        path.write_text(text + contents() if name == "index" else text, "utf-8")


def contents() -> str:
    """All pages for the side bar."""
    others = [name for name in page_names() if name != "index"]
    return "\n".join(["", "```{toctree}", ":hidden:", ":maxdepth: 1", "", *others, "```", ""])


def python_names() -> str:
    """Every public name by subject, with its whole docstring."""
    parts = [INTRODUCTION]
    for subject, names in by_subject().items():
        parts += [f"## {subject}", *(each for name in names for each in _documented(name))]
    return "\n\n".join(parts) + "\n"


def _documented(name: str) -> Iterator[str]:
    found = find(name)
    if not callable(found):
        yield f"`{name}`\n: {summary(found)}"
        return
    kind = "autoclass" if isinstance(found, type) else "autofunction"
    members = ["   :members:"] if kind == "autoclass" else []
    yield "\n".join(["```{eval-rst}", f".. {kind}:: manybody.{name}", *members, "```"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
