"""studies, doctor, docs: what there is, on which machine, and what it means."""

import argparse
import shutil
import sys
import textwrap

from manybody.cli.kinds import kind_in
from manybody.physics import arguments
from manybody.study.lines import WIDEST
from manybody.study.parsing import builtin_studies
from manybody.system.communicator import Communicator
from manybody.system.doctor import doctor_report


def studies(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print the built-in studies, or the text of one."""
    texts = builtin_studies()
    if options.show is not None:
        print(texts[arguments.choice("--show", options.show, tuple(texts))], end="")
        return 0
    for name, text in texts.items():
        kind = kind_in(text, f"study {name}")
        study = kind.parse(text, f"study {name}", None)
        print(_folded(f"{name}: {study.description}", 0))
        for line in kind.outline(study):
            print(_folded(line, 4))
    return 0


def docs(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print a page, or what pages there are."""
    from manybody.docs.pages import listing, page
    from manybody.docs.terminal import shown

    text = listing() if options.page is None else page(options.page)
    width = min(shutil.get_terminal_size().columns, WIDEST)
    print(shown(text, width, sys.stdout.encoding or "ascii"), end="", flush=True)
    return 0


def _folded(line: str, indent: int) -> str:
    return textwrap.fill(
        line,
        WIDEST,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 4),
        break_on_hyphens=False,
    )


def doctor(_options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print what this machine offers and what is missing."""
    print("\n".join(doctor_report()))
    return 0
