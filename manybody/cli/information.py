"""studies, doctor: what there is, and on which machine."""

import argparse

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


def doctor(_options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print what this machine offers and what is missing."""
    print("\n".join(doctor_report()))
    return 0
