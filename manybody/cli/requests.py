"""What a command line asks for: studies by name or file, stores by folder."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from manybody.cli.kinds import AnyKind, kind_in
from manybody.errors import InputError
from manybody.study.overrides import overridden
from manybody.study.parsing import find_study, folder_of


def requested_study(options: argparse.Namespace) -> tuple[AnyKind, Any, str]:
    """The kind of a study, the study with what the command line changes, and its text."""
    text, origin = find_study(options.study)
    text = overridden(text, origin, options.set)
    kind = kind_in(text, origin)
    study = kind.parse(text, origin, folder_of(options.study))
    wish = options.group_size
    given = int(wish) if wish is not None and wish.removeprefix("-").isdecimal() else wish
    study = kind.adapted(study, getattr(options, "petsc_options", None), given)
    check_formats(study.formats)
    return kind, kind.with_models(study, models_folder(options), options.allow_code), text


def check_formats(formats: Sequence[str]) -> None:
    """Raise InputError for a format that needs what this machine has not."""
    if "parquet" not in formats:
        return
    try:
        import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            f"format 'parquet' needs pyarrow, which does not import ({error}): pip install "
            "pyarrow, or take 'csv' or 'hdf5'"
        ) from error


def models_folder(options: argparse.Namespace) -> Path:
    """Where code and files of own models lie: beside the study, unless the command line says."""
    if options.models is not None:
        if not Path(options.models).is_dir():
            raise InputError(f"--models {options.models}: is not a folder")
        return Path(options.models)
    given = getattr(options, "study", None)
    return Path(given).parent if given is not None and Path(given).is_file() else Path()
