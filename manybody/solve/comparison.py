"""What comparing equations takes and gives; how, is in evolution.py."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.numerics.protocols import Stepper
from manybody.numerics.steppers import (
    Assembled,
    MatrixFree,
    build_stepper,
    check_operator,
    require_operator,
)
from manybody.physics import arguments
from manybody.physics.baths.several import AnyBaths, baths_of
from manybody.physics.couplings import MatrixCouplings
from manybody.physics.equations.protocol import Equation, check_applies
from manybody.physics.equations.registry import DEFAULT, EQUATIONS, check_equations
from manybody.physics.models.protocol import Model
from manybody.physics.quantities.certificates import Certificate
from manybody.physics.quantities.expectations import Expectation
from manybody.physics.quantities.local_figures import LocalFigures
from manybody.physics.spectra import AMBIGUOUS
from manybody.physics.starts import Start
from manybody.physics.undecided import undecided_words
from manybody.solve.expectations import build_expectations, places_of
from manybody.solve.starting import build_start

if TYPE_CHECKING:
    import xarray

# Relative violation of detailed balance that no quadrature of a bath leaves.
_UNBALANCED = 1e-6


class Pairs(Mapping[tuple[str, str], Real]):
    """What belongs to two equations, whichever is named first."""

    def __init__(self, values: Mapping[tuple[str, str], Real]) -> None:
        self._values = dict(values)

    def __getitem__(self, pair: tuple[str, str]) -> Real:
        first, second = pair
        return self._values[pair if pair in self._values else (second, first)]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def pairs_of(equations: Sequence[str]) -> list[tuple[str, str]]:
    """Every two equations, in the order in which all that belongs to two of them is kept."""
    return list(combinations(equations, 2))


class SideBySide:
    """Several master equations on one system: what follows from distances and states of all."""

    times: Real
    equations: tuple[str, ...]
    distance: Pairs
    smallest_eigenvalues: Mapping[str, Real]
    states: Mapping[str, Complex]

    @property
    def trace_distance(self) -> Real:
        """Trace norm ‖ρ_a(t) − ρ_b(t)‖₁ of the first two equations, (T,), no factor ½."""
        return self.distance[self.equations[0], self.equations[1]]

    @property
    def smallest_eigenvalue(self) -> Real:
        """Smallest eigenvalue of the equations that do not guarantee positivity, (T,), or +inf."""
        values = [np.full(len(self.times), np.inf), *self.smallest_eigenvalues.values()]
        return np.asarray(np.min(values, axis=0))

    @property
    def redfield_states(self) -> Complex | None:
        """States of Redfield, (T, D, D), None where they were not kept."""
        return self.states.get("redfield")

    @property
    def davies_states(self) -> Complex | None:
        """States of Davies, (T, D, D), None where they were not kept."""
        return self.states.get("davies")


@dataclass(frozen=True, eq=False)
class Comparison(SideBySide):
    """Master equations side by side on one sample.

    Attributes
    ----------
    times : (T,) array
        In 1/J.
    equations : tuple of str
        Their names, as asked for.
    distance : mapping of (str, str) to (T,) array
        distance[a, b] = ‖ρ_a(t) − ρ_b(t)‖₁ of every two of them, no factor ½.
    smallest_eigenvalues : mapping of str to (T,) array
        Of ρ(t) of every equation that does not guarantee positivity.
    certificate : Certificate
        Measured figures.
    distance_merged : mapping of (str, str) to (T,) array
        The same as distance with undecided Bohr frequencies merged, of the pairs that depend on
        it, empty unless the clustering is ambiguous.
    states : mapping of str to (T, D, D) array
        In the working basis if kept, on rank 0, else empty.
    local : LocalFigures or None
        Densities, energies and differences on sites and pairs of sites, of systems whose states
        have occupations 0 or 1, else None; with "entropy" (T,) of every equation up to 300 states,
        nan above.
    expectation : mapping of str to mapping of str to array
        expectation[name][equation]: (T,) tr(Mρ(t)) of what was asked for, (T, K) of what has
        components.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> run = mb.compare(model, bath, [0.0, 10.0], keep_states=True, expectations=["energy"])
    >>> run.states["davies"].shape, run.expectation["energy"]["redfield"].shape
    ((2, 4, 4), (2,))
    """

    times: Real
    equations: tuple[str, ...]
    distance: Pairs
    smallest_eigenvalues: Mapping[str, Real]
    certificate: Certificate
    distance_merged: Pairs = field(default_factory=lambda: Pairs({}))
    states: Mapping[str, Complex] = field(default_factory=dict)
    local: LocalFigures | None = None
    expectation: Mapping[str, Mapping[str, Real]] = field(default_factory=dict)

    @property
    def trace_distance_merged(self) -> Real | None:
        """Trace distance with undecided Bohr frequencies merged, (T,), None if decided."""
        return self.distance_merged.get((self.equations[0], self.equations[1]))

    def to_xarray(self) -> "xarray.Dataset":
        """All of it as an xarray Dataset with units, meanings and the certificate as attributes.

        Returns
        -------
        xarray.Dataset
            Variables trace_distance and trace_distance_merged (pair, time),
            smallest_eigenvalue_in_time (equation, time) and gibbs_residual (equation), nan where
            there is none; expectation_NAME (equation, time) or (equation, time, component_NAME);
            local figures, with density (equation, time, site); state (equation, time, row, column)
            where states were kept.

        Raises
        ------
        Unavailable
            There is no xarray.
        """
        from manybody.solve.datasets import dataset_of

        return dataset_of(self)


@dataclass(frozen=True, eq=False)
class Setting:
    """What all samples of one call have in common; see `compare`."""

    bath: AnyBaths
    times: Real
    start: Start
    lamb_shift: bool
    stepper: Stepper
    operator: str
    drop_tolerance: float
    equations: tuple[Equation, ...]
    expectations: tuple[Expectation, ...] = ()

    def with_stepper(self, stepper: Stepper) -> "Setting":
        """The same with the stepper that was chosen, itself where that is the one it has."""
        return self if stepper is self.stepper else replace(self, stepper=stepper)

    @property
    def needs_spectrum(self) -> bool:
        """Whether H is diagonalised: where one of the equations needs that."""
        return any(each.needs_spectrum for each in self.equations)

    @property
    def needs_hamiltonian(self) -> bool:
        """Whether every rank must have H itself: for what is seen of the states."""
        return any(each.needs_hamiltonian for each in self.expectations)


def check_setting(
    models: Sequence[Model],
    bath: Any,
    times: Iterable[float],
    initial_site: int,
    lamb_shift: bool,
    stepper: str | Stepper,
    tolerance: float,
    petsc_options: str,
    operator: str | MatrixFree | Assembled,
    drop_tolerance: float,
    initial_beta: float | None = None,
    equations: Sequence[str] = DEFAULT,
    initial_state: Any = None,
    expectations: Any = (),
) -> Setting:
    """The arguments of a call beside its models, checked; raises what `compare` says."""
    arguments.boolean("lamb_shift", lamb_shift)
    baths = baths_of(bath, models, lamb_shift)
    arguments.instance("petsc_options", petsc_options, str)
    grid = arguments.ascending_times("times", times)
    operator, drop_tolerance = check_operator(operator, drop_tolerance)
    require_operator(operator)
    scheme = build_stepper(stepper, arguments.tolerance(tolerance), petsc_options)
    start = build_start(models, initial_site, initial_beta, initial_state)
    named = tuple(EQUATIONS[name] for name in check_equations(equations))
    if operator == "assembled":
        for each in named:
            if each.is_stepped and each.rows is None:
                raise InputError(f"operator = 'assembled': equation {each.name!r} has no rows")
    check_applies(named, models)
    _check_dropping(drop_tolerance, models)
    check_start(named, start)
    wanted = build_expectations(expectations, [places_of(model) for model in models])
    return Setting(baths, grid, start, lamb_shift, scheme, operator, drop_tolerance, named, wanted)


def _check_dropping(drop_tolerance: float, models: Sequence[Model]) -> None:
    if drop_tolerance > 0.0 and any(isinstance(m.couplings, MatrixCouplings) for m in models):
        raise InputError(
            f"drop_tolerance = {drop_tolerance!r}: nothing is dropped of couplings that are no "
            "diagonal matrices, allowed is 0"
        )


def check_start(equations: Sequence[Equation], start: Start) -> None:
    """Raise InputError for a start that is made from eigenvectors which no equation needs."""
    if not start.needs_spectrum or any(each.needs_spectrum for each in equations):
        return
    names = ", ".join(each.name for each in equations)
    raise InputError(
        f"{start!r}: the equations {names} leave H undiagonalised, and thermal starts "
        "(initial_beta) and eigenstates are made from its eigenvectors; start from a pattern, a "
        "vector or a density matrix, or compare with an equation that needs the spectrum, "
        "'redfield' say"
    )


def model_digest(model: Model) -> str:
    """In few letters what makes two models the same."""
    matrix = model.hamiltonian
    parts = (matrix.data, matrix.indices, matrix.indptr) if sp.issparse(matrix) else (matrix,)
    digest = hashlib.sha256()
    for part in (*parts, np.float64(model.uncertainty)):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(model.couplings.digest.encode())
    return f"{model.dimension} {digest.hexdigest()}"


def fingerprint(model: Model, setting: Setting, keep_states: bool) -> dict[str, Any]:
    """What ranks that share a sample must agree on, by name."""
    return {
        "model": model_digest(model),
        "bath": setting.bath,
        "times": setting.times.tobytes(),
        "stepper": repr(setting.stepper),
        "operator": (setting.operator, setting.drop_tolerance),
        "equations": [each.name for each in setting.equations],
        "expectations": [repr(each) for each in setting.expectations],
        "other arguments": (setting.start, setting.lamb_shift, keep_states),
    }


def ambiguity_warning(certificate: Certificate) -> str:
    """What to say of a spectrum that leaves secular equations undetermined, empty for others."""
    if certificate.clustering != AMBIGUOUS:
        return ""
    words = undecided_words(
        certificate.merged_neighbours, certificate.cluster_width, certificate.smallest_separation
    )
    return (
        f"{words}, and the Davies equation depends on it.  trace_distance keeps them apart, "
        "trace_distance_merged merges them; they differ by up to "
        f"{certificate.secular_ambiguity:.1e}"
    )


def balance_warning(certificate: Certificate) -> str:
    """What to say of a bath that is not in equilibrium at its β, empty for others."""
    return balance_words(certificate.kms_residual)


def balance_words(kms_residual: float) -> str:
    """The same from how far the bath breaks detailed balance."""
    # Not a number where nobody looked at any frequency, and where a bath has no temperature.
    if not kms_residual > _UNBALANCED:
        return ""
    return (
        f"the bath breaks detailed balance, γ(−ω) = e^(−βω)γ(ω), by up to "
        f"{kms_residual:.1e} of γ(ω): no equation leaves the Gibbs state alone"
    )


def without_states(result: Comparison) -> Comparison:
    """What every rank gets."""
    return replace(result, states={})
