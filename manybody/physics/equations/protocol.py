"""What a master equation is to everything that advances, observes and reports it.

An equation is *stepped*, by a time stepper over its generator, or *closed*: asked for ρ(t) at
the times somebody watches.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
from manybody.errors import InputError
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.lattices import Lattice
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.spectra import Spectrum
from manybody.physics.starts import Start


class SteppedGenerator(Protocol):
    """The generator of a stack of samples in half form, dρ/dt = X + X† on Hermitian ρ."""

    @property
    def spectrum(self) -> Spectrum:
        """Eigensystems of the samples."""

    @property
    def spectral_box(self) -> Real:
        """(samples, 3) half-width of Im λ, lower and upper bound of Re λ, in J."""

    @property
    def spectral_outline(self) -> Complex | None:
        """(samples, P) where the spectrum ends, |Re λ| + i |Im λ|, an estimate; None for none."""

    def kernel(self, columns: slice = slice(None)) -> Any:
        """X of these columns of ρ, with workspaces of its own (numerics' `Kernel`)."""


class Evolution(Protocol):
    """A closed equation at the times it was asked for."""

    def write(self, chosen: slice, states: Complex) -> None:
        """ρ(t) in the site basis at some of the times, into (T', N, N) `states`."""


class ClosedPropagator(Protocol):
    """A closed equation of one sample; `columns` is for states that no rank can hold."""

    @property
    def can_spread(self) -> bool:
        """Whether `columns` may be called."""

    def evolve(self, start: Start, times: Real) -> Evolution:
        """Everything that does not follow from one time alone, at (T,) ascending times >= 0."""

    def common(self, start: Start, time: float) -> Real:
        """What `columns` needs of a time, small, computed by one rank for all."""

    def columns(self, start: Start, time: float, common: Real, columns: slice) -> Complex:
        """(N, m) some columns of V†ρ(t)V, where `can_spread`."""

    def gibbs_residual(self, beta: float) -> float:
        """Largest |element| of L[ρ_Gibbs] in the site basis, in J."""

    def derivative(self, rho: Complex) -> Complex:
        """(N, N) L[ρ] of any matrix in the site basis, in J."""


@dataclass(frozen=True)
class Guarantees:
    """Laws that an equation keeps by its form; measured all the same, except positivity.

    gibbs, gibbs_with_lamb_shift: whether e^{−βH}/Z is stationary without and with Lamb shift.
    """

    trace: bool = True
    hermiticity: bool = True
    complete_positivity: bool = False
    gibbs: bool = False
    gibbs_with_lamb_shift: bool = False


@dataclass(frozen=True)
class SystemFacts:
    """What costs depend on, of a sample that need not be drawn.

    dimension: D; is_real: whether H is; basis: occupations of the states, None for one particle;
    lattice: where the sites lie, None where they lie nowhere.
    """

    dimension: int
    is_real: bool
    lamb_shift: bool
    basis: FockBasis | None = None
    lattice: Lattice | None = None


def always(_model: Model) -> str:
    """No reason against any model: what `Equation.applies` says of itself."""
    return ""


@dataclass(frozen=True)
class Equation:
    """A master equation as data; one of `generator` and `propagators`.

    name: as users write it; title: as reports print it, symbol: the index of its ρ there, as
    LaTeX has it; source: paper and number; keeps: what it guarantees.
    flops: in N³, by whether H is real and whether there is a Lamb shift, of one application
    of a stepped equation or of one state of a closed one.
    generator: the stepped generator of a problem; rows: its CSR rows of some columns, for
    assembly (None where it has none).
    propagators: the closed propagators of a problem of one sample: one, or two where it cannot
    be decided which Bohr frequencies coincide: they are kept apart in the first, merged in the
    second.
    applies: why it does not apply to a model, as the end of a sentence, empty where it does;
    needs_terms: whether it is made from the terms of a many-particle H on a lattice, so that
    families without them need not be drawn to be refused.
    one_by_one: whether it takes problems of one sample only: a stack is advanced sample by sample.
    needs_spectrum: whether it is made from eigenvectors of H, which is diagonalised where one
    of the equations of a call says so; needs_model: whether it reads the model itself, which
    every rank that shares a sample then has.
    application_flops: what `flops` cannot say where D alone does not decide it, of one
    application, in flops of dense products that take as long; None for `flops` times D³.
    own_bytes: what its generator and a kernel of all columns keep on every rank beside what a
    node shares; row_entries: stored entries in a row of the Liouvillian, None for 2D − 1.
    dissipators: D_j[ρ] of one coupling after the other, (D, D) each of a problem of one sample and
    a Hermitian ρ, where the equation of a coupling alone (`Problem.only`) has another.
    """

    name: str
    title: str
    symbol: str
    source: str
    keeps: Guarantees
    flops: Callable[[bool, bool], float]
    generator: Callable[[Problem], SteppedGenerator] | None = None
    rows: Callable[..., Any] | None = None
    propagators: Callable[[Problem], Sequence[ClosedPropagator]] | None = None
    applies: Callable[[Any], str] = always
    needs_terms: bool = False
    one_by_one: bool = False
    needs_spectrum: bool = True
    needs_model: bool = False
    application_flops: Callable[[SystemFacts], float] | None = None
    own_bytes: Callable[[SystemFacts], float] | None = None
    row_entries: Callable[[SystemFacts], float] | None = None
    dissipators: Callable[[Problem, Complex], Iterator[Complex]] | None = None
    # As reports print it, in Unicode; empty where that is not known.
    formula: str = ""

    def __post_init__(self) -> None:
        # Names are keys of TOML, columns of tables and, joined by ":", pairs in a block.
        if not re.fullmatch(r"[a-z][a-z0-9.-]*", self.name):
            raise ValueError(
                f"equation {self.name!r}: small letters, digits, '-' and '.' are allowed"
            )
        if (self.generator is None) == (self.propagators is None):
            raise ValueError(f"equation {self.name!r}: either stepped or closed")

    @property
    def is_stepped(self) -> bool:
        """Whether a time stepper advances it."""
        return self.generator is not None

    def operations(self, facts: SystemFacts) -> float:
        """Flops of one application, or of one state of a closed equation, for such a system."""
        if self.application_flops is not None:
            return self.application_flops(facts)
        return self.flops(facts.is_real, facts.lamb_shift) * float(facts.dimension) ** 3


def check_applies(equations: Sequence[Equation], models: Sequence[Model]) -> None:
    """Raise InputError, naming both, where an equation does not apply to one of the models."""
    for each in equations:
        for model in models:
            if reason := each.applies(model):
                raise InputError(
                    f"equations: {each.name!r} does not apply to model {model.name!r}: {reason}"
                )


def adjoint(matrices: NDArray[Any]) -> NDArray[Any]:
    """Conjugate transposes of a stack."""
    return np.swapaxes(matrices.conj(), -1, -2)


def hermitian_rate(equation: Equation, problem: Problem, rho: Complex) -> Complex:
    """(D, D) L[ρ] of a Hermitian ρ, Hermitian to the last bit; of one sample, and of the first
    answer of a closed equation."""
    if equation.generator is None:
        assert equation.propagators is not None
        half: Complex = 0.5 * equation.propagators(problem)[0].derivative(rho)
    else:
        state = np.array(rho, dtype=np.complex128, order="C")[None]
        stack = np.empty_like(state)
        equation.generator(problem).kernel()(state, stack)
        half = stack[0]
    return np.asarray(half + adjoint(half))


def gibbs_residual(generator: SteppedGenerator, beta: float, kernel: Any = None) -> Real:
    """(samples,) largest |element| of L[ρ_Gibbs] in the site basis, in J.

    kernel: of all columns, if at hand.
    """
    spectrum = generator.spectrum
    populations = spectrum.gibbs_populations(beta)[:, None, :]
    gibbs = (spectrum.vectors * populations) @ adjoint(spectrum.vectors)
    gibbs = np.ascontiguousarray(gibbs, dtype=np.complex128)
    half = np.empty_like(gibbs)
    (kernel or generator.kernel())(gibbs, half)
    residual: Real = np.abs(half + adjoint(half)).max(axis=(1, 2))
    return residual
