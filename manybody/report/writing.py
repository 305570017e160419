"""Store -> DIR/report: one HTML file, figures, tables.  Reads the store alone, needs no MPI."""

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manybody.config import FORMATS
from manybody.physics import arguments
from manybody.report.document import Table, to_html, to_markdown
from manybody.report.drawing import draw_figures
from manybody.report.results import load_results, system_title
from manybody.report.sections import build_document, laws_table, numerics_table, precision_table
from manybody.report.summary import text_summary
from manybody.report.tables import build_tables, to_csv, to_parquet
from manybody.report.verdicts import judge_systems
from manybody.study.files import write_atomically
from manybody.study.store import Store


def report_figures(directory: str | Path) -> dict[str, Any]:
    """Name -> matplotlib Figure of everything that a report of a store draws.

    directory: of a store.  Raises ValueError when it holds no sample, RuntimeError without
    matplotlib.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise RuntimeError("figures need matplotlib: pip install matplotlib")
    results = load_results(Store(directory))
    if not results.points:
        raise ValueError(f"{str(directory)!r} holds no finished sample yet")
    return draw_figures(results, judge_systems(results) if results.study.evolves else ())


def write_report(store: Store, formats: Sequence[str] | None = None) -> tuple[str, list[Path]]:
    """Write figures and tables into DIR/report; returns a text summary and the paths.

    formats: of "html", "markdown", "png", "pdf", "csv", "parquet"; None takes the study's.
    Raises ValueError when the store holds no sample, RuntimeError for parquet without pyarrow.
    """
    results = load_results(store)
    if not results.points:
        raise ValueError(f"{str(store.directory)!r} holds no finished sample yet")
    wanted = tuple(formats) if formats is not None else results.study.formats
    for name in wanted:
        arguments.choice("format", name, FORMATS)
    folder = store.directory / "report"
    folder.mkdir(exist_ok=True)
    paths = []

    def write(name: str, content: bytes) -> None:
        write_atomically(folder / name, content)
        paths.append(folder / name)

    tables, verdicts = build_tables(results), []
    if results.study.evolves:
        verdicts = judge_systems(results)
        more = numerics_table(results), precision_table(results), laws_table(verdicts)
        tables += [table for table in more if table.rows]
    # Tables first: they need no matplotlib.
    for table in tables:
        if "csv" in wanted:
            write(f"{table.name}.csv", to_csv(table).encode())
        if "parquet" in wanted:
            write(f"{table.name}.parquet", to_parquet(table))
    pictures = [kind for kind in ("png", "pdf") if kind in wanted]
    written = [kind for kind in ("html", "markdown") if kind in wanted]
    note = ""
    figures: dict[str, Any] = {}
    if (pictures or written) and importlib.util.find_spec("matplotlib") is None:
        note = "\nNO FIGURE: matplotlib is not installed"
    elif pictures or written:
        figures = draw_figures(results, verdicts)
    for name, figure in figures.items():
        for kind in pictures:
            write(f"{name}.{kind}", _saved(figure, kind))
    by_name: dict[str, Table] = {table.name: table for table in tables}
    vectors = {
        name: _saved(figure, "svg").decode() if written else "" for name, figure in figures.items()
    }
    document = build_document(results, by_name, vectors, verdicts)
    if "html" in written:
        write("index.html", to_html(document).encode())
    if "markdown" in written:
        suffix = pictures[0] if pictures else "svg"
        if not pictures:
            for name, vector in vectors.items():
                write(f"{name}.svg", vector.encode())
        write("report.md", to_markdown(document, lambda name: f"{name}.{suffix}").encode())
    verdict_lines = [
        f"VERDICT {system_title(each.system, plain=True)}: {each.sentence}" for each in verdicts
    ]
    return "\n".join([text_summary(results), *verdict_lines]) + note, paths


def _saved(figure: Any, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=200, transparent=kind == "svg")
    return buffer.getvalue()
