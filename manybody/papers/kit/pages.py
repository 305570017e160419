"""Store of cases -> DIR/report: one HTML file, figures, tables.  Needs no MPI."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from manybody.errors import InputError
from manybody.papers.kit.case_kind import CaseKind, CaseStore, read_records
from manybody.papers.kit.config import Record
from manybody.papers.kit.page import Page, build_document
from manybody.report.writing import date_words, write_one, write_parts


def write_report(store: CaseStore, formats: Sequence[str] | None = None) -> tuple[str, list[Path]]:
    """Write page, figures and tables into DIR/report; returns a text summary and the paths.

    formats: of "html", "markdown", "png", "pdf", "csv", "parquet", "hdf5"; None: the study's.
    Raises ValueError when the store holds no case, RuntimeError for parquet without pyarrow.
    """
    page, records, problems = _page(store)
    study = store.study
    failed = {case.name: own[0] for case in study.cases if (own := store.failures(case))}
    paths, note = write_parts(
        store,
        formats,
        page.tables,
        page.makers,
        lambda drawings: build_document(
            page, study, records, problems, failed, drawings, date_words()
        ),
    )
    lines = [f"{study.name}: {len(records)} of {len(study.cases)} cases"]
    lines += [finding.sentence for finding in page.findings]
    lines += [f"LEFT OUT: {problem}" for problem in problems]
    return "\n".join(lines) + note, paths


def write_figure(store: CaseStore, name: str, formats: Sequence[str] | None = None) -> list[Path]:
    """Write one figure of a page into DIR/report; see `report.writing.write_figure`."""
    return write_one(store, name, formats, lambda: _page(store)[0].makers)


def _page(store: CaseStore) -> tuple[Page, list[Record], list[str]]:
    study, kind = store.study, store.kind
    records, problems = read_records(store, study)
    if not records:
        raise InputError(f"{str(store.directory)!r} holds no finished case yet")
    assert isinstance(kind, CaseKind)
    page: Page = import_module(f"{kind.folder}.page").build_page(study, records)
    return page, records, problems
