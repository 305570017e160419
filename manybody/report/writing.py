"""Store -> DIR/report: one HTML file, figures, tables.  Reads the store alone, needs no MPI."""

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manybody.config import FORMATS
from manybody.physics import arguments
from manybody.report.analysis import Analysis, analyse
from manybody.report.analysis_tables import build_analysis_tables
from manybody.report.document import to_html, to_markdown
from manybody.report.drawing import figure_makers
from manybody.report.results import load_results, system_title
from manybody.report.sections import build_document
from manybody.report.summary import text_summary
from manybody.report.tables import build_tables, to_csv, to_parquet
from manybody.study.files import write_atomically
from manybody.study.store import Store

_PICTURES = ("png", "pdf")


def report_figures(directory: str | Path) -> dict[str, Any]:
    """Name -> matplotlib Figure of everything that a report of a store draws.

    directory: of a store.  Raises ValueError when it holds no sample, RuntimeError without
    matplotlib.
    """
    _check_matplotlib()
    makers = figure_makers(_analysis(Store(directory)))
    return {name: make() for name, make in makers.items()}


def write_figure(store: Store, name: str, formats: Sequence[str] | None = None) -> list[Path]:
    """Write one figure of a report into DIR/report; returns the paths.

    name: as `report_figures` has them; formats: of "png" and "pdf"; None takes the study's,
    or else png.  Raises ValueError for a name or format that does not exist and when the store
    holds no sample, RuntimeError without matplotlib.
    """
    _check_matplotlib()
    for kind in formats or ():
        arguments.choice("format of a figure", kind, _PICTURES)
    analysis = _analysis(store)
    makers = figure_makers(analysis)
    arguments.choice("figure", name, tuple(makers))
    own = [kind for kind in _PICTURES if kind in analysis.results.study.formats]
    figure, folder = makers[name](), _folder(store)
    paths = []
    for kind in formats or own or ["png"]:
        write_atomically(folder / f"{name}.{kind}", _saved(figure, kind))
        paths.append(folder / f"{name}.{kind}")
    return paths


def write_report(store: Store, formats: Sequence[str] | None = None) -> tuple[str, list[Path]]:
    """Write figures and tables into DIR/report; returns a text summary and the paths.

    formats: of "html", "markdown", "png", "pdf", "csv", "parquet"; None takes the study's.
    Raises ValueError when the store holds no sample, RuntimeError for parquet without pyarrow.
    """
    analysis = _analysis(store)
    results = analysis.results
    wanted = tuple(formats) if formats is not None else results.study.formats
    for name in wanted:
        arguments.choice("format", name, FORMATS)
    folder, paths = _folder(store), []

    def write(name: str, content: bytes) -> None:
        write_atomically(folder / name, content)
        paths.append(folder / name)

    # Tables first: they need no matplotlib.
    tables = build_tables(results) + build_analysis_tables(analysis)
    for table in tables:
        if "csv" in wanted:
            write(f"{table.name}.csv", to_csv(table).encode())
        if "parquet" in wanted:
            write(f"{table.name}.parquet", to_parquet(table))
    pictures = [kind for kind in _PICTURES if kind in wanted]
    written = [kind for kind in ("html", "markdown") if kind in wanted]
    note, vectors = "", {}
    if (pictures or written) and importlib.util.find_spec("matplotlib") is None:
        note = "\nNO FIGURE: matplotlib is not installed"
    elif pictures or written:
        for name, make in figure_makers(analysis).items():
            figure = make()
            for kind in pictures:
                write(f"{name}.{kind}", _saved(figure, kind))
            vectors[name] = _saved(figure, "svg").decode() if written else ""
    document = build_document(analysis, {table.name: table for table in tables}, vectors)
    if "html" in written:
        write("index.html", to_html(document).encode())
    if "markdown" in written:
        suffix = pictures[0] if pictures else "svg"
        if not pictures:
            for name, vector in vectors.items():
                write(f"{name}.svg", vector.encode())
        write("report.md", to_markdown(document, lambda name: f"{name}.{suffix}").encode())
    verdict_lines = [
        f"VERDICT {system_title(each.system, plain=True)}: {each.sentence}"
        for each in analysis.verdicts
    ]
    return "\n".join([text_summary(results), *verdict_lines]) + note, paths


def _analysis(store: Store) -> Analysis:
    results = load_results(store)
    if not results.points:
        raise ValueError(f"{str(store.directory)!r} holds no finished sample yet")
    return analyse(results)


def _folder(store: Store) -> Path:
    folder = store.directory / "report"
    folder.mkdir(exist_ok=True)
    return folder


def _check_matplotlib() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise RuntimeError("figures need matplotlib: pip install matplotlib")


def _saved(figure: Any, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=200, transparent=kind == "svg")
    return buffer.getvalue()
