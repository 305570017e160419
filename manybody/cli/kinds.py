"""The table of kinds of studies, which everything below is handed."""

import os
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from manybody.errors import said_of
from manybody.physics import arguments
from manybody.study.block_store import BlockStore
from manybody.study.description import kind_of
from manybody.study.kind import Kind
from manybody.study.parsing import load_toml

AnyKind = Kind[Any, Any, Any, Any]
AnyStore = BlockStore[Any, Any, Any, Any]

# Kind of a study of cases -> its folder among the papers, which take longer to import than a
# small study to compute.
_FOLDERS = MappingProxyType(
    {
        "theorem": "snm.theorem",
        "exact": "snm.exact",
        "hierarchy": "snm.hierarchy",
        "driven": "snm.driven",
        "levy-kosloff": "levy_kosloff",
        "mitchison-plenio": "mitchison_plenio",
        "levy-rabani-limmer": "levy_rabani_limmer",
    }
)
KIND_NAMES = ("samples", *_FOLDERS)


def kind_named(name: object) -> AnyKind:
    """The kind of this name.  Raises InputError naming those there are."""
    known = arguments.choice("kind", name, KIND_NAMES)
    if known == "samples":
        from manybody.study.sample_kind import SAMPLES

        return SAMPLES
    from manybody.papers.kit.case_kind import case_kind

    return case_kind(known, f"manybody.papers.{_FOLDERS[known]}")


def kind_in(text: str, origin: str) -> AnyKind:
    """The kind that a TOML text says, samples where it says none.  Raises InputError."""
    name = load_toml(text, origin).get("kind", "samples")
    with said_of(origin):
        return kind_named(name)


def open_store(directory: str | Path) -> AnyStore:
    """The store of a folder.  Raises InputError where there is none."""
    return BlockStore(directory, kind_named(kind_of(Path(directory))))


def pages_of(store: AnyStore) -> Any:
    """What writes the report and single figures of a store, imported when one is written."""
    # Figures are files: what shows windows has no say, nor has a name that is none.
    os.environ["MPLBACKEND"] = "agg"
    home = "manybody.report.writing"
    return import_module(home if store.kind.name == "samples" else "manybody.papers.kit.pages")
