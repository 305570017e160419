"""The static site of the documentation: python build.py FOLDER, see scripts/docs.sh."""

import shutil
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from manybody.docs.api import INTRODUCTION, by_subject, find, summary
from manybody.docs.pages import GENERATED, INDEX, page, page_names

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def main(folder: str) -> int:
    """Write the pages that Sphinx reads, and have it build FOLDER/html; returns its exit code."""
    from sphinx.cmd.build import main as sphinx

    # As deep as in the source, so that pictures are where pages have them.
    pages = Path(folder, "manybody", "docs")
    write_pages(pages)
    shutil.copytree(ROOT / "pictures", Path(folder, "pictures"), dirs_exist_ok=True)
    # -E and -a: nothing of an earlier call, whose warnings would be gone.
    options = ["-W", "--keep-going", "-q", "-E", "-a", "-b", "html", "-c", str(HERE)]
    return int(sphinx([*options, "-d", f"{folder}/doctrees", str(pages), f"{folder}/html"]))


def write_pages(folder: Path) -> None:
    """Every page as a file; those of Python names say to Sphinx where docstrings are."""
    for name in page_names():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = python_names() if name == "api" else page(name)
        path.write_text(text + contents() if name == INDEX else text, "utf-8")


def contents() -> str:
    """All pages for the side bar, in their order, neighbours of a kind under one heading."""
    lines = [""]
    for heading, names in groupby((each for each in page_names() if each != INDEX), key=_heading):
        lines += ["```{toctree}", ":hidden:", f":caption: {heading}", "", *names, "```", ""]
    return "\n".join(lines)


def _heading(name: str) -> str:
    if "/" in name or name in GENERATED:
        return "How-tos" if "/" in name else "Reference"
    return {"tutorial": "Start", "results": "Results"}.get(name, "Background")


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
