"""Store -> figures and tables in DIR/report.  Reads the store alone and needs no MPI."""

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

from manybody.study.drawing import draw_figures
from manybody.study.files import write_atomically
from manybody.study.results import load_results
from manybody.study.store import Store
from manybody.study.tables import tables, text_summary


def write_report(store: Store, formats: Sequence[str] | None = None) -> tuple[str, list[Path]]:
    """Write figures and tables into DIR/report; returns a text summary and the paths.

    formats: of "png", "pdf", "csv"; None takes the study's.  Raises ValueError when
    the store holds no sample.
    """
    results = load_results(store)
    if not results.points:
        raise ValueError(f"{str(store.directory)!r} holds no finished sample yet")
    wanted = tuple(formats) if formats is not None else results.study.formats
    folder = store.directory / "report"
    folder.mkdir(exist_ok=True)
    paths = []

    def write(name: str, content: bytes) -> None:
        write_atomically(folder / name, content)
        paths.append(folder / name)

    # Tables first: they need no matplotlib.
    if "csv" in wanted:
        for name, text in tables(results).items():
            write(f"{name}.csv", text.encode())
    pictures = [kind for kind in ("png", "pdf") if kind in wanted]
    if pictures and importlib.util.find_spec("matplotlib") is None:
        note = "NO FIGURE: matplotlib is not installed"
        return f"{text_summary(results)}\n{note}", paths
    for name, figure in draw_figures(results).items() if pictures else ():
        for kind in pictures:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=200)
            write(f"{name}.{kind}", buffer.getvalue())
    return text_summary(results), paths
