"""studies, doctor: what there is, and on which machine."""

import argparse
import textwrap

from manybody.cli.kinds import kind_in
from manybody.physics import arguments
from manybody.study.parsing import builtin_studies
from manybody.system.communicator import Communicator
from manybody.system.doctor import doctor_report

_WIDEST = 100


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


def _folded(line: str, indent: int) -> str:
    return textwrap.fill(
        line,
        _WIDEST,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 4),
        break_on_hyphens=False,
    )


def doctor(_options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print what this machine offers and what is missing."""
    print("\n".join(doctor_report()))
    return 0
