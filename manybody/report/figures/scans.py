"""The distance of the first two equations against a number in which systems differ."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manybody.arrays import Real
from manybody.physics.baths.families import BATH_FAMILIES, BathFamily
from manybody.physics.models.family import Family
from manybody.report.analysis.scans import Scan, scans
from manybody.report.figures.canvas import (
    averaged,
    common_words,
    computed_ticks,
    counted_samples,
    from_zero,
    grid,
    marker,
    one_scale,
    panel_size,
    put_labels,
    put_legend,
    put_legend_below,
    put_title,
    short_title,
)
from manybody.report.figures.curves import label_of, shades
from manybody.report.figures.size import draw_maxima_at
from manybody.report.read import StudyResult
from manybody.study.regions import symbol_of

# Values that span more than this factor are on a logarithmic axis.
_DECADE = 10.0
# From one size to the next, of what the values span: what is equal is seen side by side.
_STEP = 0.008
_SYMBOLS = {"disorder": "$W$", "anisotropy": r"$\Delta$"}


def draw_scans(results: StudyResult) -> Any:
    """Maximum over time of the mean against the number, a panel a scan and a line a size."""
    found = scans(results)
    figure, axes = grid(len(found), *panel_size(len(found)))
    for axis, scan in zip(axes, found):
        _draw(axis, results, scan)
    note = "sizes side by side at each value" if any(len(own.sizes) > 1 for own in found) else ""
    put_legend_below(figure, (), one_scale(axes[: len(found)]), note)
    return figure


def _draw(axis: Any, results: StudyResult, scan: Scan) -> None:
    drawn = [scan.of_size(size) for size in scan.sizes]
    values, systems = [*scan.systems], [system for system, _ in scan.systems.values()]
    for index, (shade, own) in enumerate(zip(shades(len(drawn)), drawn)):
        label = label_of(systems[0], next(iter(own.values())))
        summaries = [summary for _, summary in averaged([*own.values()])]
        style = {"marker": marker(index), "lw": 1.2, "label": label}
        shift = _STEP * (index - 0.5 * (len(drawn) - 1))
        draw_maxima_at(axis, _moved([*own], values, shift), summaries, shade, **style)
    if _span_much(values):
        axis.set_xscale("log")
    computed_ticks(axis, values)
    from_zero(axis)
    up = rf"$\max_t \langle {results.distance()} \rangle$"
    put_labels(axis, _label_of(results, scan), up)
    put_title(axis, ", ".join(common_words([short_title(system) for system in systems])))
    put_legend(axis, counted_samples([each.n_samples for own in drawn for each in own.values()]))


def _span_much(values: Sequence[float]) -> bool:
    return min(values) > 0.0 and max(values) > _DECADE * min(values)


def _moved(values: Sequence[float], every: Sequence[float], share: float) -> Real:
    """Values moved by a share of what all of them span, on the scale of the axis."""
    places: Real = np.array(values, dtype=float)
    if _span_much(every):
        return places * float((max(every) / min(every)) ** share)
    return places + share * (max(every) - min(every))


def _label_of(results: StudyResult, scan: Scan) -> str:
    """The number with its symbol, or its name, and its unit where that is known."""
    system, _ = next(iter(scan.systems.values()))
    bath, family = BATH_FAMILIES[results.study.bath_type], system.family
    key = scan.key.removeprefix("bath_")
    if key != scan.key:
        return _with_unit(symbol_of(bath, key)[0], bath, key.rpartition(".")[2])
    # What a model of the user's calls so may be anything.
    symbol = _SYMBOLS.get(key, "") if key in family.parameters else ""
    return _with_unit(f"{key.replace('_', ' ')} {symbol}".strip(), family, key)


def _with_unit(words: str, known: Family | BathFamily, key: str) -> str:
    unit = known.meaning(key).unit if key in known.parameters else ""
    return f"{words}  $[{unit}]$" if unit else words
