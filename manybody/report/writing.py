"""Store -> DIR/report: one HTML file, figures, tables.  Reads the store alone, needs no MPI."""

import importlib
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manybody.errors import InputError, Unavailable
from manybody.parallel.files import remove_orphans, write_together
from manybody.physics import arguments
from manybody.physics.underflow import zero_where_tiny
from manybody.report.analysis.conclusions import Analysis, analyse
from manybody.report.analysis.verdicts import SystemVerdict
from manybody.report.figures.makers import figure_makers
from manybody.report.page.document import Document, Table
from manybody.report.page.drawing import Drawing, drawing_of
from manybody.report.page.html import to_html
from manybody.report.page.markdown import to_markdown
from manybody.report.page.sections import build_document
from manybody.report.page.summary import text_summary
from manybody.report.read import load_results, system_title
from manybody.report.tables.analysis import build_analysis_tables, build_local_tables
from manybody.report.tables.expectations import build_expectations_tables
from manybody.report.tables.guarantees import build_guarantees
from manybody.report.tables.initial_sites import build_site_tables
from manybody.report.tables.local import build_averages
from manybody.report.tables.paired import build_paired_tables
from manybody.report.tables.samples import build_tables, to_csv, to_hdf5, to_parquet
from manybody.report.tables.setting import build_setting
from manybody.study.block_store import BlockStore
from manybody.study.configuration import FORMATS
from manybody.study.store import Store
from manybody.system.environment import describe

AnyStore = BlockStore[Any, Any, Any, Any]
PICTURES = ("png", "pdf")
# Format -> suffix of a table and what makes its bytes.
TABLES: Mapping[str, tuple[str, Callable[[Table], bytes]]] = {
    "csv": ("csv", lambda table: to_csv(table).encode()),
    "parquet": ("parquet", to_parquet),
    "hdf5": ("h5", to_hdf5),
}


@zero_where_tiny
def report_figures(directory: str | Path) -> dict[str, Any]:
    """Every figure that a report of a store draws, by name.

    Parameters
    ----------
    directory : str or Path
        Of a store.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        Drawn anew.

    Raises
    ------
    InputError
        It holds no sample.
    Unavailable
        There is no matplotlib.

    Examples
    --------
    >>> import tempfile
    >>> import manybody as mb
    >>> study = {
    ...     "name": "own",
    ...     "seed": 7,
    ...     "samples": 2,
    ...     "times": {"start": 0.0, "stop": 10.0, "count": 3},
    ...     "bath": {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0},
    ...     "systems": [{"model": "dirac_syk2", "n_sites": [4]}],
    ... }
    >>> with tempfile.TemporaryDirectory() as results:
    ...     _ = mb.run_study(study, results, report=False)
    ...     figures = mb.report_figures(results)
    >>> "maxima" in figures
    True
    """
    check_matplotlib()
    makers = figure_makers(_analysis(Store(arguments.path("directory", directory))))
    return {name: make() for name, make in makers.items()}


@zero_where_tiny
def write_figure(store: Store, name: str, formats: Sequence[str] | None = None) -> list[Path]:
    """Write one figure of a report into DIR/report; returns the paths.

    name: as `report_figures` has them; formats: of "png" and "pdf"; None takes the study's,
    or else png.  Raises ValueError for a name or format that does not exist and when the store
    holds no sample, RuntimeError without matplotlib.
    """
    return write_one(store, name, formats, lambda: figure_makers(_analysis(store)))


@zero_where_tiny
def write_report(store: Store, formats: Sequence[str] | None = None) -> tuple[str, list[Path]]:
    """Write figures and tables into DIR/report; returns a text summary and the paths.

    formats: of "html", "markdown", "png", "pdf", "csv", "parquet", "hdf5"; None: the study's.
    Raises ValueError when the store holds no sample, RuntimeError for parquet without pyarrow.
    """
    analysis = _analysis(store)
    tables = _all_tables(analysis)
    by_name = {table.name: table for table in tables}
    paths, note = write_parts(
        store,
        formats,
        tables,
        figure_makers(analysis),
        lambda drawings: build_document(analysis, by_name, drawings, date_words()),
    )
    lines = [text_summary(analysis.results), *_verdict_lines(analysis)]
    return "\n".join(lines) + note, paths


def _all_tables(analysis: Analysis) -> list[Table]:
    return [
        *build_tables(analysis.results),
        *build_analysis_tables(analysis),
        *build_averages(analysis.results),
        *build_guarantees(analysis.results),
        *build_local_tables(analysis),
        *build_expectations_tables(analysis.results),
        *build_site_tables(analysis.results),
        *build_paired_tables(analysis.results),
        *build_setting(analysis.results),
    ]


def _verdict_lines(analysis: Analysis) -> list[str]:
    """Every verdict with the sizes left out of it, those on local figures after the global one."""
    lines: list[str] = []
    for each in analysis.verdicts:
        lines += _lines_of(analysis.of_system(each.system))
    return lines


def _lines_of(verdicts: Sequence[SystemVerdict]) -> list[str]:
    """Of one system; which figure is named where there are several, and every reason once."""
    lines: list[str] = []
    for each in verdicts:
        which = f" ({each.quantity})" if len(verdicts) > 1 else ""
        lines.append(f"VERDICT{which} {system_title(each.system, plain=True)}: {each.sentence}")
        reasons = each.left_out if each.verdict is not None else ()
        new = [f"  size {size} has no part in it: {why}" for size, why in reasons]
        lines += [line for line in new if line not in lines]
    return lines


def write_one(
    store: AnyStore,
    name: str,
    formats: Sequence[str] | None,
    makers_of: Callable[[], Mapping[str, Callable[[], Any]]],
) -> list[Path]:
    """Write one figure of a store's report; see `write_figure`.

    makers_of: gives what draws each figure, by name.
    """
    check_matplotlib()
    for kind in formats or ():
        arguments.choice("format of a figure", kind, PICTURES)
    makers = makers_of()
    arguments.choice("figure", name, tuple(makers))
    own = [kind for kind in PICTURES if kind in store.study.formats]
    figure, folder = makers[name](), report_folder(store)
    contents = {f"{name}.{kind}": saved(figure, kind) for kind in formats or own or ["png"]}
    paths = [_within(folder, name) for name in contents]
    write_together(folder, contents)
    return paths


def write_parts(
    store: AnyStore,
    formats: Sequence[str] | None,
    tables: Sequence[Table],
    makers: Mapping[str, Callable[[], Any]],
    document_of: Callable[[Mapping[str, Drawing]], Document],
) -> tuple[list[Path], str]:
    """Tables, figures and pages into the report of a store; the paths, and what to add.

    formats: None takes the study's; makers: name -> what draws a figure; document_of: name ->
    drawing -> page.
    """
    formats, folder = _chosen(store, formats), report_folder(store)
    contents: dict[str, bytes] = {}
    drawings: dict[str, Drawing] = {}
    for table in tables:
        for kind, (suffix, content_of) in TABLES.items():
            if kind in formats:
                contents[f"{table.name}.{suffix}"] = content_of(table)
    pictures = [kind for kind in PICTURES if kind in formats]
    written = [kind for kind in ("html", "markdown") if kind in formats]
    why = broken_matplotlib() if pictures or written else ""
    if (pictures or written) and not why:
        for name, make in makers.items():
            figure = make()
            for kind in pictures:
                contents[f"{name}.{kind}"] = saved(figure, kind)
            drawings |= {name: drawn(figure)} if written else {}
    document = document_of(drawings)
    if "markdown" in written:
        suffix = pictures[0] if pictures else "svg"
        if not pictures:
            contents |= {f"{name}.svg": own.svg.encode() for name, own in drawings.items()}
        contents["report.md"] = to_markdown(document, lambda name: f"{name}.{suffix}").encode()
    # The page comes last: where there is one, what belongs to it is there.
    if "html" in written:
        contents["index.html"] = to_html(document).encode()
    paths = [_within(folder, name) for name in contents]
    write_together(folder, contents)
    return paths, f"\nNO FIGURE: {why}" if why else ""


def _analysis(store: Store) -> Analysis:
    results = load_results(store)
    if not results.points:
        raise InputError(f"{str(store.directory)!r} holds no finished sample yet")
    return analyse(results)


def _chosen(store: AnyStore, formats: Sequence[str] | None) -> Sequence[str]:
    chosen: Sequence[str] = store.study.formats if formats is None else formats
    for each in chosen:
        arguments.choice("format", each, FORMATS)
    return chosen


def _within(folder: Path, name: str) -> Path:
    """Names of figures and tables hold words of a store that somebody may have sent."""
    if Path(name).name != name:
        raise InputError(f"{name!r} is no name of a file of a report")
    return folder / name


def report_folder(store: AnyStore) -> Path:
    """DIR/report, which need not be there, without what a report that died has left."""
    folder = store.directory / "report"
    remove_orphans(folder)
    return folder


def check_matplotlib() -> None:
    """Raise RuntimeError where matplotlib cannot draw."""
    if why := broken_matplotlib():
        raise Unavailable(f"figures need matplotlib: {why}")


def broken_matplotlib() -> str:
    """Why matplotlib cannot draw, empty where it can."""
    if importlib.util.find_spec("matplotlib") is None:
        return "matplotlib is not installed: pip install matplotlib"
    try:
        importlib.import_module("matplotlib.figure")
    except Exception as error:  # whatever an installation that is broken raises
        return f"matplotlib does not import ({type(error).__name__}: {error})"
    return ""


def saved(figure: Any, kind: str) -> bytes:
    """A matplotlib figure as a file of this kind."""
    lay_out(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=200, transparent=kind == "svg")
    return buffer.getvalue()


def drawn(figure: Any) -> Drawing:
    """A matplotlib figure as a page shows it."""
    lay_out(figure)
    return drawing_of(figure)


def lay_out(figure: Any) -> None:
    """Once for files of all kinds: savefig would draw all before it draws, for every one."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)


def date_words() -> str:
    """When a report is written, and by what."""
    facts, today = describe(), datetime.now(UTC).date().isoformat()
    revision, _, rest = str(facts["git_revision"]).partition("-")
    words = "-".join(filter(None, (revision[:12], rest)))
    return f"Written on {today} by manybody {facts['manybody']}, revision {words}."
