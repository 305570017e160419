"""The local equation: jumps between bare states, as if H did not turn the A_j.

With A_j = diag(a_j) a jump takes no energy from a bath, and only ω = 0 counts:

dρ/dt = −i[H + Σ_j η_j(0) A_j², ρ] + Σ_j γ_j(0) (A_jρA_j − ½{A_j², ρ}),

pure dephasing: −½ Σ_j γ_j(0) (a_j(a) − a_j(b))² ρ_ab (Mitchison and Plenio, New J. Phys. 20,
033005 (2018), their local approach, for a density coupling; docs/physics.md section 11).  It is
what Redfield becomes where γ is flat over the whole band, and heats every system without end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Complex, Real, product
from manybody.errors import InputError
from manybody.physics.assembly import AssembledRows
from manybody.physics.baths.several import AnyBaths, each_bath
from manybody.physics.couplings import Couplings, DiagonalCouplings, SiteProjectors
from manybody.physics.equations.band import MARGIN, extreme_eigenvalues
from manybody.physics.equations.half_kernel import HalfKernel
from manybody.physics.equations.protocol import Equation, Guarantees, SystemFacts
from manybody.physics.equations.sparse_rows import assemble_sparse_rows
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.spectra import Spectrum

# Columns of one sparse product.
_PANEL = 32


@dataclass(frozen=True, eq=False)
class LocalGenerator:
    """The generator of a stack of samples.

    hamiltonians: H + Σ_j η_j(0) A_j² of every sample less the middle of its band, (D, D) CSR or
    an array; values: (couplings, D) a_j; gamma, eta: (couplings,) γ_j(0) and η_j(0) in J, the
    latter 0 without Lamb shift; band: (samples,) E_max − E_min of them; diagonalise: what makes
    the `spectrum`, which nothing here needs.
    """

    hamiltonians: tuple[Any, ...]
    values: Real
    gamma: Real
    eta: Real
    band: Real
    diagonalise: Callable[[], Spectrum]

    @property
    def spectrum(self) -> Spectrum:
        """Eigensystems of H, for what compares with it: D³ operations at this call."""
        return self.diagonalise()

    @cached_property
    def damping(self) -> Real:
        """(D, D) ½ Σ_j γ_j(0) (a_j(a) − a_j(b))² >= 0, how fast |a⟩⟨b| decays, in J."""
        total = np.zeros((self.values.shape[1],) * 2)
        for rate, own in zip(self.gamma, self.values):
            total += 0.5 * rate * (own[:, None] - own) ** 2
        return total

    @cached_property
    def spectral_box(self) -> Real:
        """(samples, 3) half-width of Im λ, lower and upper bound of Re λ, in J.

        Of a commutator and a negative diagonal matrix: bounds, but for the 1 % of `band.MARGIN`.
        """
        lowest = np.full(self.band.shape, -float(self.damping.max()))
        return np.stack([MARGIN * self.band, lowest, np.zeros_like(lowest)], axis=1)

    @property
    def spectral_outline(self) -> Complex | None:
        """None: the box is tight."""
        return None

    def kernel(self, columns: slice = slice(None)) -> "_Kernel":
        """X for the given columns of ρ, a contiguous range of [0, D), with its own workspaces."""
        return _Kernel(self, columns)

    def rows(
        self,
        columns: slice = slice(None),  # noqa: B008
        drop_tolerance: float = 0.0,
    ) -> AssembledRows:
        """Rows b D + a of the Liouvillian of one sample, see `assemble_sparse_rows`.

        It is the quasi-local form with Λ_j = ½γ_j(0) A_j.
        """
        if len(self.hamiltonians) != 1:
            raise ValueError(f"rows are of one sample, the stack has {len(self.hamiltonians)}")
        filtered = [
            sp.csr_array(sp.diags(0.5 * rate * own)) for rate, own in zip(self.gamma, self.values)
        ]
        hamiltonian = sp.csr_array(self.hamiltonians[0])
        return assemble_sparse_rows(hamiltonian, self.values, filtered, columns, drop_tolerance)


def build_local(
    models: tuple[Model, ...],
    bath: AnyBaths,
    lamb_shift: bool,
    diagonalise: Callable[[], Spectrum],
) -> LocalGenerator:
    """The generator of models of one kind.  Raises InputError for couplings that turn states."""
    couplings = models[0].couplings
    if reason := _why_not_diagonal(couplings):
        raise InputError(f"model {models[0].name!r}: {reason}")
    values = _values(couplings)
    each = each_bath(bath, len(values))
    gamma = np.array([float(own.gamma(0.0)) for own in each])
    eta = np.array([float(own.eta(0.0)) if lamb_shift else 0.0 for own in each])
    shift = eta @ values**2
    hamiltonians, band = [], []
    for model in models:
        shifted, width = _centred(model.hamiltonian, shift - shift.mean())
        hamiltonians.append(shifted)
        band.append(width)
    return LocalGenerator(tuple(hamiltonians), values, gamma, eta, np.array(band), diagonalise)


def local_of(problem: Problem) -> LocalGenerator:
    """The generator of a problem, built once.  Raises InputError for one without its models."""
    if not problem.models:
        raise InputError("the local equation is made from the models, this problem has none")
    return problem.once(
        "local",
        lambda: build_local(
            problem.models, problem.bath, problem.lamb_shift, lambda: problem.spectrum
        ),
    )


def _dissipators(problem: Problem, rho: Complex) -> Iterator[Complex]:
    """γ_j(0) (A_jρA_j − ½{A_j², ρ}) − iη_j(0) [A_j², ρ] of every coupling."""
    generator = local_of(problem)
    for gamma, eta, own in zip(generator.gamma, generator.eta, generator.values):
        decay = -0.5 * gamma * (own[:, None] - own) ** 2
        yield (decay - 1j * eta * (own[:, None] ** 2 - own**2)) * rho


def _values(couplings: Couplings) -> Real:
    """(couplings, D) a_j of every A_j = diag(a_j)."""
    if isinstance(couplings, SiteProjectors):
        strengths = 1.0 if couplings.strengths is None else couplings.strengths
        return (strengths * np.eye(couplings.dimension))[couplings.coupled]
    assert isinstance(couplings, DiagonalCouplings)
    return couplings.values


def _why_not_diagonal(couplings: Couplings) -> str:
    if isinstance(couplings, (SiteProjectors, DiagonalCouplings)):
        return ""
    return (
        "bare states are those in which all couplings are diagonal, and its couplings are not "
        "in the basis they are given in"
    )


def _why_not(model: Any) -> str:
    return _why_not_diagonal(model.couplings)


def _centred(hamiltonian: Any, shift: Real) -> tuple[Any, float]:
    """H + diag(shift) less the middle of its band, which would cost digits, and its width."""
    if sp.issparse(hamiltonian):
        whole = sp.csr_array(hamiltonian) + sp.csr_array(sp.diags(shift))
        # Of the diagonal first: an iteration for a band far from 0 would not see its width.
        rough = float(np.mean(whole.diagonal()).real)
        whole = sp.csr_array(whole - rough * sp.csr_array(sp.identity(len(shift))))
        lowest, highest = extreme_eigenvalues(whole)
        middle = sp.csr_array(0.5 * (lowest + highest) * sp.identity(len(shift)))
        return sp.csr_array(whole - middle), highest - lowest
    identity = np.eye(len(shift))
    whole = hamiltonian + np.diag(shift)
    whole = whole - float(np.mean(np.diagonal(whole)).real) * identity
    lowest, highest = extreme_eigenvalues(whole)
    return np.ascontiguousarray(whole - 0.5 * (lowest + highest) * identity), highest - lowest


def _flops(is_real: bool, _lamb_shift: bool) -> float:
    """One product with H, in D³; sparse ones take less."""
    return 4.0 if is_real else 8.0


def _own_bytes(facts: SystemFacts) -> float:
    """H and the damping."""
    return ((8.0 if facts.is_real else 16.0) + 8.0) * float(facts.dimension) ** 2


def _row_entries(facts: SystemFacts) -> float:
    """Of H on both sides of ρ: about as many as neighbours, of a lattice or in Fock space."""
    if facts.basis is None and facts.lattice is None:
        return 2.0 * facts.dimension - 1.0
    neighbours = 6.0 if facts.basis is None else float(facts.basis.n_modes)
    return min(2.0 * facts.dimension - 1.0, 2.0 * (neighbours + 1.0))


LOCAL = Equation(
    name="local",
    title="Local",
    symbol="L",
    source="Mitchison and Plenio (2018), local approach",
    formula="dρ/dt = −i[H + Σ_j η(0) A_j², ρ] + Σ_j γ(0) (A_j ρ A_j − ½{A_j², ρ})",
    keeps=Guarantees(complete_positivity=True),
    flops=_flops,
    generator=local_of,
    rows=LocalGenerator.rows,
    applies=_why_not,
    needs_spectrum=False,
    needs_model=True,
    own_bytes=_own_bytes,
    row_entries=_row_entries,
    dissipators=_dissipators,
)


class _Kernel(HalfKernel):
    """X = −iHρ − ½ damping ∘ ρ."""

    def __init__(self, generator: LocalGenerator, columns: slice) -> None:
        super().__init__(len(generator.hamiltonians), len(generator.damping), columns)
        self._hamiltonians = generator.hamiltonians
        self._half = np.ascontiguousarray(0.5 * generator.damping[:, self.columns])

    def __call__(self, rho: Any, out: Any, _whole: Any = None) -> None:
        """Write X into `out`, both (samples, D, m)."""
        decayed = self.buffers[1]
        for index, (hamiltonian, state, result) in enumerate(zip(self._hamiltonians, rho, out)):
            _multiply(hamiltonian, state, result)
            result *= -1j * self.factors[index]
            np.multiply(self._half, state, out=decayed[index])
            decayed[index] *= self.factors[index]
            result -= decayed[index]


def _multiply(hamiltonian: Any, state: NDArray[Any], out: NDArray[Any]) -> None:
    """out = H · state; sparse ones a few columns at a time, which stay near."""
    if not sp.issparse(hamiltonian):
        product(hamiltonian, np.ascontiguousarray(state), out)
        return
    for first in range(0, state.shape[1], _PANEL):
        panel = slice(first, first + _PANEL)
        some = np.ascontiguousarray(state[:, panel])
        if np.iscomplexobj(hamiltonian):
            out[:, panel] = hamiltonian @ some
        else:
            # A real matrix meets complex columns as twice as many real ones.
            out[:, panel] = (hamiltonian @ some.view(np.float64)).view(np.complex128)
