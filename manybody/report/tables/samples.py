"""Averages -> tables: every number of a report, raw, one file each."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from manybody.errors import Unavailable
from manybody.physics.spectra import VERDICTS
from manybody.report.analysis.statistics import spread_of
from manybody.report.page.document import Column, Table, is_missing
from manybody.report.page.summary import worst_of, worst_of_all
from manybody.report.read import PointResult, StudyResult, point_title
from manybody.report.tables.columns import (
    digits,
    pair_words,
    peak_cells,
    peak_columns,
    point_cells,
    point_columns,
    reach_words,
    scientific,
    size_cells,
    size_columns,
)
from manybody.solve.comparison import pairs_of
from manybody.solve.observables.registry import figures_of
from manybody.study.blocks import OF_PAIRS


def build_tables(results: StudyResult) -> list[Table]:
    """All of them; those with nothing to say are left out."""
    found = [_samples(results)]
    if results.study.evolves:
        found += [_curves(results), _maxima(results), _spread(results), _pairs(results)]
    if figures_of(results.study.observables):
        found.append(_figures(results))
    found += [_certificates(results), _missing(results)]
    return [table for table in found if table.rows]


def _curves(results: StudyResult) -> Table:
    columns = (
        "time",
        "mean",
        "standard_deviation",
        "standard_error",
        "smallest_eigenvalue_mean",
        "smallest_eigenvalue_worst",
    )
    return Table(
        "curves",
        "Trace distance and positivity against time",
        (*point_columns(results), Column("n_samples"), *(Column(name) for name in columns)),
        tuple(_curve_rows(results)),
    )


def _curve_rows(results: StudyResult) -> Iterator[tuple[Any, ...]]:
    for result in results.points:
        assert result.summary is not None
        moments = result.summary.moments
        smallest = result.arrays["smallest_eigenvalue_in_time"]
        arrays = (
            moments.mean,
            moments.standard_deviation,
            moments.standard_error,
            smallest.mean(axis=0),
            smallest.min(axis=0),
        )
        head = (*point_cells(results, result.point), result.n_samples)
        for time, *numbers in zip(results.study.times, *arrays):
            yield (*head, time, *map(float, numbers))


def _pairs(results: StudyResult) -> Table:
    """The distance of every two equations where there are more than two."""
    columns = (*point_columns(results), Column("pair", "equations"), *peak_columns())
    pairs = pairs_of(results.study.equations)
    rows = [
        (*point_cells(results, result.point), pair_words(pair), *peak_cells(results, distance))
        for result in (results.points if len(pairs) > 1 else ())
        for pair, distance in zip(pairs, np.moveaxis(result.arrays[OF_PAIRS], 1, 0))
    ]
    return Table("pairs", "Every two equations", columns, tuple(rows))


def _maxima(results: StudyResult) -> Table:
    columns = (
        *point_columns(results),
        Column("n_samples", "samples"),
        Column("maximum_of_mean", "max of mean", digits(5)),
        Column("interval_low", "68 % from", digits(5)),
        Column("interval_high", "to", digits(5)),
        Column("standard_error_there", "std. error", scientific),
        Column("time_of_maximum", "at t [1/J]", digits(4)),
        Column("standard_deviation_there"),
        Column("mean_of_maximum", "mean of max", digits(5)),
        Column("mean_of_maximum_low", "68 % from", digits(5)),
        Column("mean_of_maximum_high", "to", digits(5)),
        Column("mean_of_maximum_error", "std. error", scientific),
        Column("reach", "the maximum is", reach_words),
        Column("outside_samples", "leave the states"),
        Column("maximum_of_mean_if_merged"),
        Column("missing_samples"),
        *(Column(f"worst_{name}") for name in worst_of(results.study)),
    )
    rows = []
    for result in results.points:
        s = result.summary
        assert s is not None
        worst = [
            float(reduce(result.arrays[name])) for name, reduce in worst_of(results.study).items()
        ]
        merged = None if result.second is None else result.second.maximum
        rows.append(
            (
                *point_cells(results, result.point),
                result.n_samples,
                s.maximum,
                s.maximum_low,
                s.maximum_high,
                s.maximum_error,
                s.time_of_maximum,
                s.maximum_deviation,
                s.mean_maximum,
                s.mean_maximum_low,
                s.mean_maximum_high,
                s.mean_maximum_error,
                s.reach.value,
                int(result.outside.sum()),
                merged,
                result.missing,
                *worst,
            )
        )
    return Table("maxima", "Maximum over time of the mean over samples", columns, tuple(rows))


def _spread(results: StudyResult) -> Table:
    columns = (
        *point_columns(results),
        Column("mean", "mean", digits(4)),
        Column("standard_deviation", "std. dev.", digits(3)),
        Column("ratio", "std. dev. / mean", digits(2)),
        Column("smallest", "smallest", digits(3)),
        Column("quantile_16", "16 %", digits(3)),
        Column("median", "median", digits(3)),
        Column("quantile_84", "84 %", digits(3)),
        Column("largest", "largest", digits(3)),
        Column("at_last_time", "at the last time"),
    )
    rows = []
    for result in results.points:
        curves = result.arrays["trace_distance"]
        own = curves.max(axis=1)
        s = spread_of(own)
        at_end = int(np.count_nonzero(curves.argmax(axis=1) == curves.shape[1] - 1))
        rows.append(
            (
                *point_cells(results, result.point),
                s.mean,
                s.deviation,
                s.deviation / s.mean if s.mean else None,
                float(own.min()),
                s.low,
                s.median,
                s.high,
                float(own.max()),
                at_end,
            )
        )
    return Table("spread", "Each sample's own maximum over time", columns, tuple(rows))


def _samples(results: StudyResult) -> Table:
    """One row a sample: what it measured, its seed and its certificate."""
    names = list(
        dict.fromkeys(
            name
            for result in results.points
            for name, array in result.arrays.items()
            if array.ndim == 1
        )
    )
    evolves = results.study.evolves
    own = [Column("maximum"), Column("time_of_maximum")] if evolves else []
    rows: list[tuple[Any, ...]] = []
    times = np.array(results.study.times)
    for result in results.points:
        cells = point_cells(results, result.point)
        for row, sample in enumerate(result.samples):
            maximum: tuple[float, ...] = ()
            if evolves:
                curve = result.arrays["trace_distance"][row]
                maximum = float(curve.max()), float(times[int(np.argmax(curve))])
            seed = " ".join(f"{word:016x}" for word in result.arrays["seed"][row])
            values = [result.arrays[name][row].item() for name in names]
            rows.append((*cells, int(sample), seed, *maximum, *values))
    return Table(
        "samples",
        "Every sample",
        (
            *point_columns(results),
            Column("sample"),
            Column("seed"),
            *own,
            *(Column(name) for name in names),
        ),
        tuple(rows),
    )


def _figures(results: StudyResult) -> Table:
    columns = (
        *point_columns(results),
        Column("figure", "figure"),
        Column("unit", "unit"),
        Column("n_finite", "samples"),
        Column("n_without", "without"),
        Column("mean", "mean", digits(5)),
        Column("standard_error", "std. error", scientific),
        Column("standard_deviation"),
        Column("quantile_16", "16 %", digits(3)),
        Column("median", "median", digits(3)),
        Column("quantile_84", "84 %", digits(3)),
        Column("smallest", "smallest", digits(3)),
        Column("largest", "largest", digits(3)),
    )
    rows = []
    for result in results.points:
        for name, figure in figures_of(results.study.observables).items():
            s, values = result.spreads[name], result.arrays[name]
            finite = values[np.isfinite(values)]
            ends = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
            rows.append(
                (
                    *point_cells(results, result.point),
                    name,
                    figure.unit,
                    s.count,
                    s.others,
                    s.mean,
                    s.error,
                    s.deviation,
                    s.low,
                    s.median,
                    s.high,
                    *ends,
                )
            )
    return Table("figures", "Other observables over samples", columns, tuple(rows))


def _certificates(results: StudyResult) -> Table:
    columns = (
        Column("figure", "figure"),
        Column("worst", "worst", digits(3)),
        Column("system", "in"),
        *size_columns(results),
        Column("sample", "sample"),
    )
    rows = []
    for name, reduce in worst_of_all(results.study).items():
        found = [
            (float(reduce(result.arrays[name])), result)
            for result in results.points
            if name in result.arrays
        ]
        if found:
            value = float(reduce([worst for worst, _ in found]))
            result = next(result for worst, result in found if worst == value or value != value)
            own = result.arrays[name]
            row = int(np.argmax(np.isnan(own) if value != value else own == value))
            rows.append(
                (
                    name,
                    value,
                    point_title(result.point),
                    *size_cells(results, result.point),
                    int(result.samples[row]),
                )
            )
    return Table("certificates", "Worst figures over all samples", columns, tuple(rows))


def _missing(results: StudyResult) -> Table:
    columns = (
        *point_columns(results),
        Column("missing", "missing"),
        Column("failed", "of which failed"),
    )
    rows = []
    for status in results.statuses:
        left = status.wanted - status.done
        if left:
            rows.append((*point_cells(results, status.point), left, status.failed))
    return Table("missing", "Samples that are not in the store", columns, tuple(rows))


def to_csv(table: Table) -> str:
    """With every digit; empty cells for what does not exist.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_inert(column.name) for column in table.columns])
    for row in table.rows:
        writer.writerow(["" if is_missing(cell) else _exact(_inert(cell)) for cell in row])
    return text.getvalue()


def _inert(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell


def to_parquet(table: Table) -> bytes:
    """The same columns with their types.  Raises RuntimeError without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise Unavailable(f"parquet needs pyarrow: {error}") from error
    arrays = {
        column.name: [None if is_missing(row[index]) else row[index] for row in table.rows]
        for index, column in enumerate(table.columns)
    }
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), buffer)
    return buffer.getvalue()


def to_hdf5(table: Table) -> bytes:
    """The same columns, a dataset each: numbers, nan for what does not exist, or texts."""
    with h5py.File("table", "w", driver="core", backing_store=False, track_order=True) as file:
        file.attrs["title"] = table.title
        for index, column in enumerate(table.columns):
            cells = [row[index] for row in table.rows]
            is_text = any(isinstance(cell, str) for cell in cells)
            empty: Any = "" if is_text else float("nan")
            values = [empty if is_missing(cell) else cell for cell in cells]
            kind = h5py.string_dtype() if is_text else None
            file.create_dataset(column.name, data=values, dtype=kind, track_times=False)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _exact(cell: Any) -> str:
    return repr(cell) if isinstance(cell, float) else str(cell)


def clustering_counts(points: Sequence[PointResult]) -> dict[str, int]:
    """How many samples have each verdict on coinciding Bohr frequencies."""
    codes = np.concatenate([point.arrays["clustering"] for point in points])
    return {word: int(np.count_nonzero(codes == code)) for code, word in enumerate(VERDICTS)}
