"""Store of cases -> DIR/report: one HTML file, figures, tables.  Needs no MPI."""

from collections.abc import Sequence
from pathlib import Path

from manybody.errors import InputError
from manybody.papers.kit.kinds import KINDS
from manybody.papers.kit.page import Page, build_document
from manybody.papers.kit.store import CaseStore, Record
from manybody.parallel.files import make_folder, write_atomically
from manybody.physics import arguments
from manybody.report.writing import PICTURES, check_matplotlib, saved, write_parts
from manybody.study.configuration import FORMATS


def write_page(store: CaseStore, formats: Sequence[str] | None = None) -> tuple[str, list[Path]]:
    """Write page, figures and tables into DIR/report; returns a text summary and the paths.

    formats: of "html", "markdown", "png", "pdf", "csv", "parquet", "hdf5"; None
    takes the study's.
    Raises ValueError when the store holds no case, RuntimeError for parquet without pyarrow.
    """
    page, records, problems = _page(store)
    study, failed = store.study, store.failures()
    wanted = tuple(formats) if formats is not None else study.formats
    for name in wanted:
        arguments.choice("format", name, FORMATS)
    paths, note = write_parts(
        _folder(store),
        wanted,
        page.tables,
        page.makers,
        lambda pictures: build_document(page, study, records, problems, failed, pictures),
    )
    lines = [f"{study.name}: {len(records)} of {len(study.cases)} cases"]
    lines += [finding.sentence for finding in page.findings]
    lines += [f"LEFT OUT: {problem}" for problem in problems]
    return "\n".join(lines) + note, paths


def write_page_figure(
    store: CaseStore, name: str, formats: Sequence[str] | None = None
) -> list[Path]:
    """Write one figure of a page into DIR/report; see `report.writing.write_figure`."""
    check_matplotlib()
    for kind in formats or ():
        arguments.choice("format of a figure", kind, PICTURES)
    page, _, _ = _page(store)
    arguments.choice("figure", name, tuple(page.makers))
    own = [kind for kind in PICTURES if kind in store.study.formats]
    figure, paths = page.makers[name](), []
    for kind in formats or own or ["png"]:
        paths.append(_folder(store) / f"{name}.{kind}")
        write_atomically(paths[-1], saved(figure, kind))
    return paths


def _page(store: CaseStore) -> tuple[Page, list[Record], list[str]]:
    study = store.study
    records, problems = store.read(study)
    if not records:
        raise InputError(f"{str(store.directory)!r} holds no finished case yet")
    return KINDS[study.kind].build_page(study, records), records, problems


def _folder(store: CaseStore) -> Path:
    folder = store.directory / "report"
    make_folder(folder)
    return folder
