"""Quasi-local Redfield: sparse filtered couplings, and no diagonalisation of H.

In half form, dρ/dt = X + X† on Hermitian ρ, with A_j = diag(a_j) and the Λ_j^(r) of patches.py,
X_ab = −i(Hρ)_ab + Σ_j (a_j(b) − a_j(a)) (Λ_jρ)_ab (SNM eq. (18) and ref. [51], docs/physics.md
section 10; K = Σ_j A_jΛ_j is the part with a_j(a)).  Column b of X needs column b of ρ alone,
and the trace is exact, since nothing of a bath reaches the diagonal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real, aligned_empty
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.assembly import AssembledRows
from manybody.physics.baths.protocol import Bath
from manybody.physics.baths.several import AnyBaths, distinct_baths, each_bath
from manybody.physics.couplings import DiagonalCouplings
from manybody.physics.equations.band import MARGIN, extreme_eigenvalues
from manybody.physics.equations.half_kernel import HalfKernel
from manybody.physics.equations.patches import (
    Transform,
    coupling_sites,
    filter_couplings,
    mean_fill,
    why_no_patches,
)
from manybody.physics.equations.protocol import Equation, Guarantees, SystemFacts
from manybody.physics.equations.sparse_rows import assemble_sparse_rows, merge
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.problem import Problem, shifts_of
from manybody.physics.spectra import Spectrum

# Couplings that share tables.  XXZ, η off, seconds of one core an application with groups of
# 4 / 6 / 8, and with one product of all Λ_j side by side: N = 12 (D = 924), r = 2 .10 / .06 /
# .10, .16; r = 3 .16 / .10 / .15, .36; N = 14 (D = 3432), r = 3 2.9 / 2.4 / 2.4, 8.1.  Tables of
# groups of 6 take 20, 58 and 261 MB.
_GROUP = 6
# Elements of a row of the union of so many Λ_j, of their sum: .5 to .63 where measured.
_SHARE_OF_UNION = 0.6
# Flops of dense products that one of a sparse product takes as long as: 3 to 4 GF/s, see above.
_SPARSE_SLOWER = 15.0
# Columns of one sparse product; 16 to 64 are alike to the noise of the machine.
_PANEL = 32


@dataclass(frozen=True, eq=False)
class QuasiLocalGenerator:
    """The generator of one sample; stacks of samples are computed one by one.

    hamiltonian: (D, D) CSR; couplings: the A_j, diagonal; filtered: Λ_j^(r), (D, D) CSR each;
    diagonalise: what makes the `spectrum`, which nothing here needs.
    """

    hamiltonian: sp.csr_array
    couplings: DiagonalCouplings
    filtered: tuple[sp.csr_array, ...]
    diagonalise: Callable[[], Spectrum] | None = None

    @property
    def dimension(self) -> int:
        """Number of states D."""
        return int(self.hamiltonian.shape[0])

    @property
    def spectrum(self) -> Spectrum:
        """Eigensystem of the whole H, for what compares with it: D³ operations at this call.

        Raises InputError for a generator that was made without a problem.
        """
        if self.diagonalise is None:
            raise InputError("quasi-local Redfield knows no spectrum of its Hamiltonian")
        return self.diagonalise()

    @cached_property
    def decay(self) -> sp.csr_array:
        """(D, D) K = Σ_j A_jΛ_j."""
        terms = [
            sp.csr_array(sp.csr_array(sp.diags(own)) @ filtered)
            for own, filtered in zip(self.couplings.values, self.filtered)
        ]
        return sp.csr_array(sum(terms[1:], terms[0]))

    @cached_property
    def decay_bound(self) -> Real:
        """(1,) √(‖K‖₁ ‖K‖_∞), at least ‖K‖₂."""
        size = abs(self.decay)
        return np.array([np.sqrt(size.sum(axis=0).max() * size.sum(axis=1).max())])

    @cached_property
    def spectral_box(self) -> Real:
        """(1, 3) half-width of Im λ, lower and upper bound of Re λ, in J.

        As of `RedfieldGenerator`: |Im λ| <= E_max − E_min + 2‖K‖₂ and −2κ <= Re λ <= κ/2 with
        κ = ‖(K + K†)/2‖₂.  Band and κ come from Lanczos iterations to 1e-4 and are taken 1 %
        wider; an estimate, not a theorem.
        """
        lowest, highest = extreme_eigenvalues(self.hamiltonian)
        mean = 0.5 * (self.decay + self.decay.conj().T)
        damping = MARGIN * max(map(abs, extreme_eigenvalues(sp.csr_array(mean))))
        width = MARGIN * (highest - lowest) + 2.0 * float(self.decay_bound[0])
        return np.array([[width, -2.0 * damping, 0.5 * damping]])

    @property
    def spectral_outline(self) -> Complex | None:
        """None: an outline would need the Bohr frequencies."""
        return None

    def kernel(self, columns: slice = slice(None)) -> "_Kernel":
        """X for the given columns of ρ, a contiguous range of [0, D), with its own workspaces."""
        return _Kernel(self, columns)

    def rows(
        self,
        columns: slice = slice(None),  # noqa: B008
        drop_tolerance: float = 0.0,
    ) -> AssembledRows:
        """Rows b D + a of the complex-linear Liouvillian, see `assemble_sparse_rows`."""
        return assemble_sparse_rows(
            self.hamiltonian, self.couplings.values, self.filtered, columns, drop_tolerance
        )


def build_quasi_local(
    model: ManyBodyModel,
    bath: AnyBaths,
    radius: int,
    lamb_shift: bool,
    diagonalise: Callable[[], Spectrum] | None = None,
) -> QuasiLocalGenerator:
    """The generator of a model with patches of a radius >= 0, in bonds.

    Raises InputError as `filter_couplings`.
    """
    coupling_sites(model)
    couplings = model.couplings.centred(lamb_shift, shifts_of(bath, lamb_shift))
    filtered = filter_couplings(model, couplings, radius, _transforms(bath, lamb_shift, couplings))
    hamiltonian = sp.csr_array(model.hamiltonian)
    return QuasiLocalGenerator(hamiltonian, couplings, tuple(filtered), diagonalise)


def quasi_local_of(problem: Problem, radius: int) -> QuasiLocalGenerator:
    """The generator of a problem of one sample, built once.

    Raises InputError for several samples or a model without patches.
    """
    if len(problem.models) != 1:
        raise InputError(
            f"{len(problem.models)} models: quasi-local Redfield computes samples one by one, "
            "from the model itself"
        )
    model: Any = problem.model
    arguments.instance("model", model, ManyBodyModel)
    return problem.once(
        f"quasi-local-{radius}",
        lambda: build_quasi_local(
            model, problem.bath, radius, problem.lamb_shift, lambda: problem.spectrum
        ),
    )


def quasi_local(radius: int) -> Equation:
    """The equation "quasi-local-<radius>"; the Gibbs state is stationary only for large radii.

    radius: >= 1, in bonds.  Raises InputError for anything else.
    """
    radius = arguments.integer("radius", radius, 1)
    return Equation(
        name=f"quasi-local-{radius}",
        title=f"Quasi-local Redfield (r = {radius})",
        symbol=f"{{R,{radius}}}",
        source="SNM ref. [51]",
        formula="Redfield's with Λ_j of the terms of H within r bonds of site j alone",
        keeps=Guarantees(),
        flops=_flops,
        generator=partial(quasi_local_of, radius=radius),
        rows=QuasiLocalGenerator.rows,
        applies=why_no_patches,
        needs_terms=True,
        one_by_one=True,
        needs_spectrum=False,
        needs_model=True,
        application_flops=partial(_application_flops, radius=radius),
        own_bytes=partial(_own_bytes, radius=radius),
        row_entries=partial(_row_entries, radius=radius),
    )


def _flops(is_real: bool, lamb_shift: bool) -> float:
    """In D³ as of one dense product: more than any sparse one, which grows like D² alone."""
    return 4.0 if is_real and not lamb_shift else 8.0


def _fill(facts: SystemFacts, radius: int) -> float:
    """Stored elements of a row of Λ_j, at most D; of a patch of all where there are none."""
    if facts.basis is None or facts.lattice is None:
        return float(facts.dimension)
    return min(float(facts.dimension), mean_fill(facts.basis, facts.lattice, radius))


def _baths(facts: SystemFacts) -> int:
    return 1 if facts.basis is None else facts.basis.n_modes


def _groups(facts: SystemFacts, radius: int) -> list[tuple[int, float]]:
    """Couplings of every group, and stored elements of a row of one of its tables."""
    rest = _baths(facts) % _GROUP
    sizes = [_GROUP] * (_baths(facts) // _GROUP) + ([rest] if rest else [])
    fill, most = _fill(facts, radius), float(facts.dimension)
    return [(size, min(most, max(1.0, _SHARE_OF_UNION * size * fill))) for size in sizes]


def _application_flops(facts: SystemFacts, radius: int) -> float:
    """Sparse products with H, of about N elements a row, and one table a group."""
    elements = _baths(facts) + sum(fill for _, fill in _groups(facts, radius))
    each = 4.0 if facts.is_real and not facts.lamb_shift else 8.0
    return _SPARSE_SLOWER * each * elements * float(facts.dimension) ** 2


def _own_bytes(facts: SystemFacts, radius: int) -> float:
    """All Λ_j with their patterns, and a table for every pattern of two values in a group."""
    number = 8.0 if facts.is_real and not facts.lamb_shift else 16.0
    filtered = (number + 4.0) * _baths(facts) * _fill(facts, radius)
    tables = number * sum(2.0**size * fill for size, fill in _groups(facts, radius))
    return (filtered + tables) * facts.dimension


def _row_entries(facts: SystemFacts, radius: int) -> float:
    """Of both sides of ρ; within a third of N = 6 to 10, r = 1 to 3, of XXZ and Ising chains."""
    elements = 1.0 + 0.35 * _baths(facts) * (_fill(facts, radius) - 1.0)
    return min(2.0 * facts.dimension - 1.0, 2.0 * elements)


def _transforms(
    baths: AnyBaths, lamb_shift: bool, couplings: DiagonalCouplings
) -> list[Transform]:
    """Γ(ω) of every coupling, less iη(0) of the first bath where Σ_jA_j² is a number: no part of
    the equation, but large to round."""
    shifted = lamb_shift and couplings.sum_of_squares_is_constant
    offset = 1j * float(distinct_baths(baths)[0].eta(0.0)) if shifted else 0.0

    def transform(bath: Bath, omega: Real) -> NDArray[Any]:
        rates = bath.one_sided(omega, lamb_shift)
        return rates - offset if shifted else rates

    return [partial(transform, bath) for bath in each_bath(baths, couplings.n_baths)]


class _Kernel(HalfKernel):
    """X of one sample.

    Couplings come in groups.  In a group the columns of equal values p_j = a_j(b) share one
    sparse table T_p = Σ_j (p_j − a_j) ∘ Λ_j, rows scaled, on the union of the patterns of its
    Λ_j, which is far smaller than their sum.  All products are sparse and a column at a time:
    the bits of a column do not depend on the others.

    Columns are brought into the order of the patterns of a group as whole rows: to gather those
    of one table from ρ touches a page for every element.
    """

    def __init__(self, generator: QuasiLocalGenerator, columns: slice) -> None:
        super().__init__(1, generator.dimension, columns)
        self._images = aligned_empty(self.buffers[0].shape[1:], np.complex128)
        self._hamiltonian = generator.hamiltonian
        self._groups = [
            _Group(generator, slice(first, first + _GROUP), self.columns)
            for first in range(0, len(generator.filtered), _GROUP)
        ]

    def __call__(self, rho: Any, out: Any, _whole: Any = None) -> None:
        """Write X into `out`, both (1, D, m)."""
        state, result, ordered, images = rho[0], out[0], self.buffers[1][0], self._images
        for panel in _panels(0, state.shape[1]):
            result[:, panel] = _product(self._hamiltonian, state[:, panel])
        result *= -1j
        for group in self._groups:
            np.take(state, group.order, axis=1, out=ordered, mode="clip")
            for table, panel in group.tables:
                images[:, panel] = _product(table, ordered[:, panel])
            np.take(images, group.back, axis=1, out=ordered, mode="clip")
            result += ordered
        if self.factors[0] != 1.0:
            result *= self.factors[0]


class _Group:
    """Tables of some couplings for some columns.

    order: the columns, those of equal patterns together; back: the places of the columns in it;
    tables: each with the range of `order` that it multiplies.
    """

    def __init__(self, generator: QuasiLocalGenerator, group: slice, columns: slice) -> None:
        values = generator.couplings.values[group]
        merged = merge(generator.filtered[group])
        patterns, which = np.unique(values[:, columns], axis=1, return_inverse=True)
        self.order = np.argsort(which.ravel(), kind="stable")
        self.back = np.argsort(self.order, kind="stable")
        borders = np.searchsorted(which.ravel()[self.order], np.arange(patterns.shape[1] + 1))
        self.tables = [
            (table, panel)
            for pattern, start, stop in zip(patterns.T, borders[:-1], borders[1:])
            for table in [merged.matrix(merged.weighted(pattern, values))]
            for panel in _panels(start, stop)
        ]


def _panels(start: int, stop: int) -> list[slice]:
    return [slice(first, min(first + _PANEL, stop)) for first in range(start, stop, _PANEL)]


def _product(matrix: sp.csr_array, block: NDArray[Any]) -> Complex:
    """matrix · block; a real matrix meets complex columns as twice as many real ones."""
    if np.iscomplexobj(matrix):
        result: Complex = matrix @ block
        return result
    whole = np.ascontiguousarray(block)
    return np.ascontiguousarray(matrix @ whole.view(np.float64)).view(np.complex128)
