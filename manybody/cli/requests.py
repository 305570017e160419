"""What a command line asks for: studies by name or file, stores by folder."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from manybody.errors import InputError
from manybody.numerics.steppers import check_stepper
from manybody.study.configuration import Study
from manybody.study.model_loading import load_own_models, with_own_models
from manybody.study.parsing import find_study, folder_of, parse_group_size, parse_study


def requested_cases(options: argparse.Namespace) -> tuple[Any, str]:
    """The study of cases that is asked for and its text, None for one of disorder samples."""
    from manybody.papers.kit.config import has_kind

    text, origin = find_study(options.study)
    if not has_kind(text, origin):
        return None, text
    # The papers behind the kinds take longer to import than a small study to compute.
    from manybody.papers.kit.kinds import parse_case_study

    study = parse_case_study(text, origin)
    for name in ("petsc_options", "group_size"):
        if getattr(options, name, None) is not None:
            raise InputError(
                f"--{name.replace('_', '-')}: means nothing to a study of kind {study.kind!r}"
            )
    return study, text


def requested_study(options: argparse.Namespace) -> tuple[Study, str]:
    """The study with what the command line changes, and its text."""
    text, origin = find_study(options.study)
    study = parse_study(text, origin, folder_of(options.study))
    if getattr(options, "petsc_options", None) is not None:
        check_stepper(study.stepper, options.petsc_options)
        study = replace(study, petsc_options=options.petsc_options)
    if options.group_size is not None:
        wish = options.group_size
        try:
            given: int | str = int(wish)
        except ValueError:
            given = wish
        study = replace(study, group_size=parse_group_size(given, study.stepper))
    return with_own_models(study, _folder(options), options.allow_code), text


def load_models(options: argparse.Namespace, study: Study) -> None:
    """Let this process draw the samples of models that the study brings along, if any."""
    load_own_models(study, _folder(options), options.allow_code)


def _folder(options: argparse.Namespace) -> Path:
    """Where code and files of own models lie: beside the study, unless the command line says."""
    if options.models is not None:
        if not Path(options.models).is_dir():
            raise InputError(f"--models {options.models}: is not a folder")
        return Path(options.models)
    given = getattr(options, "study", None)
    return Path(given).parent if given is not None and Path(given).is_file() else Path()


def store_of_samples(directory: str) -> Any:
    """A store that holds disorder samples, not cases.  Raises ValueError."""
    from manybody.papers.kit.store import holds_cases
    from manybody.study.store import Store

    if holds_cases(directory):
        raise InputError(
            f"{directory!r} holds a study of cases: run, plan, status and report take those, "
            "and run goes on with what is missing"
        )
    return Store(directory)
