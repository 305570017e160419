"""What comparing equations gives as an xarray Dataset."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from manybody.errors import Unavailable
from manybody.solve.meanings import CONVENTIONS, MEANINGS, UNITS

if TYPE_CHECKING:
    import xarray

Variable = tuple[tuple[str, ...], Any, dict[str, str]]


def load_xarray() -> Any:
    """The package.  Raises Unavailable where it is not installed."""
    try:
        import xarray
    except ImportError as error:
        raise Unavailable(
            f"xarray does not import ({error}): pip install 'manybody[xarray]'"
        ) from error
    return xarray


def dataset_of(run: Any) -> "xarray.Dataset":
    """Dimensions pair, equation, time, and site or row and column; see `Comparison.to_xarray`.

    run: a `Comparison`, which knows this module.
    """
    names, pairs = run.equations, list(run.distance)
    nothing = np.full(len(run.times), np.nan)
    lowest = [run.smallest_eigenvalues.get(name, nothing) for name in names]
    residuals = [run.certificate.gibbs_residuals[name] for name in names]
    variables = _described(
        ("pair", "time"),
        trace_distance=[run.distance[pair] for pair in pairs],
        trace_distance_merged=[run.distance_merged.get(pair, nothing) for pair in pairs],
    )
    variables |= _described(("equation", "time"), smallest_eigenvalue_in_time=lowest)
    variables |= _described(("equation",), gibbs_residual=residuals)
    variables |= _local_variables(run)
    for name, values in run.expectation.items():
        stacked = np.array([values[each] for each in names])
        axes = ("equation", "time", f"component_{name}")[: stacked.ndim]
        variables[f"expectation_{name}"] = axes, stacked, {"long_name": f"tr(M rho), M: {name}"}
    coordinates: dict[str, Variable] = {
        "time": (("time",), run.times, {"long_name": "time", "units": "1/J"}),
        "pair": (("pair",), [":".join(pair) for pair in pairs], {}),
        "equation": (("equation",), list(names), {}),
    }
    if run.states:
        states = np.stack([run.states[name] for name in names])
        meaning = {"long_name": "rho(t) in the working basis"}
        variables["state"] = ("equation", "time", "row", "column"), states, meaning
    found: xarray.Dataset = load_xarray().Dataset(variables, coordinates, _attributes(run))
    return found


def _local_variables(run: Any) -> dict[str, Variable]:
    """On sites and pairs of sites, of systems that have them."""
    if run.local is None:
        return {}
    found: dict[str, Variable] = {}
    for name in next(iter(run.local.of_pair.values()), {}):
        values = [run.local.of_pair[pair][name] for pair in run.distance]
        found |= _described(("pair", "time"), **{name: values})
    for name in next(iter(run.local.of_equation.values())):
        values = [run.local.of_equation[each][name] for each in run.equations]
        axes = ("equation", "time", "site")[: np.ndim(values)]
        found |= _described(axes, **{name: values})
    return found


def _described(axes: tuple[str, ...], **figures: Any) -> dict[str, Variable]:
    """Figures on some axes, by name, with what they mean."""
    return {
        name: (axes, np.array(own), {"long_name": MEANINGS[name], "units": UNITS.get(name, "1")})
        for name, own in figures.items()
    }


def _attributes(run: Any) -> dict[str, Any]:
    """The figures of the certificate that are of the whole run."""
    figures = {
        entry.name: getattr(run.certificate, entry.name)
        for entry in fields(run.certificate)
        if entry.name != "gibbs_residuals"
    }
    return {"conventions_of_physics": CONVENTIONS, **figures}
