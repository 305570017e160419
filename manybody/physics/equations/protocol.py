"""What a master equation is to everything that advances, observes and reports it.

An equation is *stepped*, by a time stepper over its generator, or *closed*: asked for ρ(t) at
the times somebody watches.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex, Real
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


@dataclass(frozen=True)
class Guarantees:
    """Laws that an equation keeps by its form; measured all the same, except positivity.

    gibbs, gibbs_with_lamb_shift: whether e^{−βH}/Z is stationary without and with Lamb shift.
    """

    trace: bool
    hermiticity: bool
    complete_positivity: bool
    gibbs: bool
    gibbs_with_lamb_shift: bool


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

    def __post_init__(self) -> None:
        # Names are keys of TOML, columns of tables and, joined by ":", pairs in a block.
        if not re.fullmatch(r"[a-z][a-z0-9-]*", self.name):
            raise ValueError(f"equation {self.name!r}: small letters, digits and '-' are allowed")
        if (self.generator is None) == (self.propagators is None):
            raise ValueError(f"equation {self.name!r}: either stepped or closed")

    @property
    def is_stepped(self) -> bool:
        """Whether a time stepper advances it."""
        return self.generator is not None


def adjoint(matrices: NDArray[Any]) -> NDArray[Any]:
    """Conjugate transposes of a stack."""
    return np.swapaxes(matrices.conj(), -1, -2)


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
