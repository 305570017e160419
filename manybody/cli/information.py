"""studies, doctor: what there is, and on which machine."""

import argparse

from manybody.study.parsing import builtin_studies, parse_study
from manybody.system.communicator import Communicator
from manybody.system.doctor import doctor_report


def studies(_options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print the built-in studies."""
    from manybody.papers.kit.config import has_kind
    from manybody.papers.kit.kinds import parse_case_study

    for name, text in builtin_studies().items():
        if has_kind(text, f"study {name}"):
            cases = parse_case_study(text, f"study {name}")
            print(f"{name}: {cases.description}")
            print(f"    {len(cases.cases)} cases of the kind {cases.kind}")
            continue
        study = parse_study(text, f"study {name}")
        print(f"{name}: {study.description}")
        for system in study.systems:
            words = " ".join(f"{key}={value}" for key, value in system.parameters)
            sizes = ", ".join(map(str, system.sizes))
            counts = ", ".join(map(str, dict.fromkeys(system.counts.values())))
            print(f"    {system.model} {words}, sizes {sizes}, {counts} samples")
    return 0


def doctor(_options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print what this machine offers and what is missing."""
    print("\n".join(doctor_report()))
    return 0
