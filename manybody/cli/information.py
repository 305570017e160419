"""studies, doctor, docs: what there is, on which machine, and what it means."""

import argparse
import shutil
import sys

from manybody.cli.kinds import kind_in
from manybody.study.parsing import builtin_studies
from manybody.system.communicator import Communicator
from manybody.system.doctor import doctor_report


def studies(_options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print the built-in studies."""
    for name, text in builtin_studies().items():
        kind = kind_in(text, f"study {name}")
        study = kind.parse(text, f"study {name}", None)
        print(f"{name}: {study.description}")
        for line in kind.outline(study):
            print(f"    {line}")
    return 0


def docs(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print a page, or what pages there are."""
    from manybody.docs.pages import listing, page
    from manybody.docs.terminal import shown

    text = listing() if options.page is None else page(options.page)
    width = min(shutil.get_terminal_size().columns, 100)
    print(shown(text, width, sys.stdout.encoding or "ascii"), end="", flush=True)
    return 0


def doctor(_options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print what this machine offers and what is missing."""
    print("\n".join(doctor_report()))
    return 0
