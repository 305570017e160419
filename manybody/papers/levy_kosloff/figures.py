"""The data of LK Figs. 2, 3 and 4, and the map of entropy production beside Fig. 2."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from manybody.arrays import Real
from manybody.errors import InputError
from manybody.papers.levy_kosloff.model import OSCILLATORS, levy_kosloff

Point = tuple[float, float, float, float, float, float]

_CURVES = ("heat_current_hot", "population_a", "entropy_production")


def second_law_map(
    omega_h: ArrayLike,
    T_h: ArrayLike,  # noqa: N803
    omega_c: float = 5.0,
    T_c: float = 10.0,  # noqa: N803
    epsilon: float = 1e-4,
    kappa: float = 1e-7,
    statistics: str = OSCILLATORS,
    approach: str = "local",
) -> dict[str, Real]:
    """Entropy production where two frequencies and two temperatures meet, LK Fig. 2.

    omega_h: (m,), T_h: (n,); the defaults are those of Fig. 2.  About a millisecond a point.
    Returned: omega_h, T_h; entropy_production, heat_current_hot, sign: (n, m), sign of the
    entropy production, −1 where the second law is violated; border: (n,) ω_h = ω_cT_h/T_c, at
    which LK eq. (9) changes its sign, as does the entropy production at T_h = T_c.
    Raises TypeError or ValueError.
    """
    frequencies, temperatures = _axis("omega_h", omega_h), _axis("T_h", T_h)
    production = np.empty((len(temperatures), len(frequencies)))
    heat = np.empty_like(production)
    for row, hot in enumerate(temperatures):
        for column, omega in enumerate(frequencies):
            point = levy_kosloff(
                float(omega), omega_c, float(hot), T_c, epsilon, kappa, statistics, approach
            )
            production[row, column] = point["entropy_production"]
            heat[row, column] = point["heat_current_hot"]
    return {
        "omega_h": frequencies,
        "T_h": temperatures,
        "entropy_production": production,
        "heat_current_hot": heat,
        "sign": np.sign(production),
        "border": omega_c * temperatures / T_c,
    }


def figure_2(n_points: int = 100) -> dict[str, Real]:
    """The map of LK Fig. 2 for oscillators in the local approach, T_h from T_c to 2T_c.

    LK print no ranges of the axes; these show both zones and the border.
    """
    return second_law_map(np.linspace(1.0, 12.0, n_points), np.linspace(10.0, 20.0, n_points))


def figure_3(epsilon: ArrayLike | None = None) -> dict[str, Any]:
    """Current and population against ε, local and global, LK Fig. 3.

    epsilon: (m,), None for 120 values from 0.01 to 7, below √(ω_hω_c).  T_h = 12, T_c = 10,
    ω_h = 10, ω_c = 5, κ = 1e-4.  Returned: epsilon, and of every approach, "local", "global"
    and "redfield", a dictionary of (m,) heat_current_hot, population_a, entropy_production.
    """
    values = np.linspace(0.01, 7.0, 120) if epsilon is None else _axis("epsilon", epsilon)
    points = [(10.0, 5.0, 12.0, 10.0, float(value), 1e-4) for value in values]
    return {"epsilon": values, **_curves(points)}


def figure_4(omega_h: ArrayLike | None = None) -> dict[str, Any]:
    """Current and population against ω_h, local and global, LK Fig. 4; see `figure_3`.

    omega_h: (m,), None for 121 values from 1 to 10, denser about the resonance at 5 that
    the inset shows.  T_h = 12, T_c = 10, ω_c = 5, ε = 1e-3, κ = 1e-7.
    """
    if omega_h is None:
        near = 5.0 + np.linspace(-0.01, 0.01, 40)
        values = np.unique(np.concatenate([np.linspace(1.0, 10.0, 81), near]))
    else:
        values = _axis("omega_h", omega_h)
    points = [(float(value), 5.0, 12.0, 10.0, 1e-3, 1e-7) for value in values]
    return {"omega_h": values, **_curves(points)}


def _curves(points: Iterable[Point]) -> dict[str, dict[str, Real]]:
    """What every approach gives for oscillators at these parameters."""
    points = list(points)
    result = {}
    for approach in ("local", "global", "redfield"):
        found = [levy_kosloff(*point, OSCILLATORS, approach) for point in points]
        result[approach] = {name: np.array([each[name] for each in found]) for name in _CURVES}
    return result


def _axis(name: str, values: ArrayLike) -> Real:
    axis = np.asarray(values, dtype=np.float64)
    if axis.ndim != 1 or not axis.size:
        raise InputError(f"{name} has shape {axis.shape}: a row of at least one number is needed")
    return axis
