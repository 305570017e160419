"""Sums of squares, in full or from draws that are likely to meet the large terms."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Real


def sum_by_size(
    value: Callable[[int], float], sizes: Real, n_draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Σ_i value(i) >= 0 and its standard error from about `n_draws` terms, likely the large ones.

    sizes: (M,) >= 0, roughly proportional to the terms; a term of size 0 is 0.  Those so large
    that they would be drawn anyway are taken once each, the others drawn with replacement
    in proportion to their size.
    """
    order = np.argsort(-sizes, kind="stable")
    order = order[: np.count_nonzero(sizes)]
    if len(order) <= n_draws:
        return math.fsum(value(int(index)) for index in order), 0.0
    ordered = sizes[order]
    remaining = np.cumsum(ordered[::-1])[::-1]
    certain = 0
    while certain < n_draws // 2 and ordered[certain] * (n_draws - certain) >= remaining[certain]:
        certain += 1
    total = math.fsum(value(int(index)) for index in order[:certain])
    rest = order[certain:]
    probability = sizes[rest] / sizes[rest].sum()
    drawn = rng.choice(len(rest), size=n_draws - certain, p=probability)
    found, inverse, counts = np.unique(drawn, return_inverse=True, return_counts=True)
    ratios = np.array([value(int(rest[index])) / probability[index] for index in found])
    values = ratios[inverse]
    return total + float(values.mean()), standard_error(values)


def squares(values: NDArray[Any]) -> float:
    """Σ |x|²."""
    return float(np.sum(values.real**2) + np.sum(values.imag**2))


def standard_error(values: Real) -> float:
    """Of the mean of two or more independent values."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))
