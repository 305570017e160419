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
    """The generator of a stack of samples in half form, dρ/dt = X + X† on Hermitian ρ.

    Examples
    --------
    >>> import manybody as mb
    >>> from manybody.physics.problem import Problem
    >>> problem = Problem([mb.dirac_syk2(n_sites=4)], mb.OhmicBath(0.2, 10.0, 5.0))
    >>> mb.EQUATIONS["redfield"].generator(problem).spectral_box.shape
    (1, 3)
    """

    @property
    def spectrum(self) -> Spectrum:
        """Eigensystems of the samples."""

    @property
    def spectral_box(self) -> Real:
        """Half-width of Im λ, lower and upper bound of Re λ, (samples, 3), in J."""

    @property
    def spectral_outline(self) -> Complex | None:
        """Where the spectrum ends, |Re λ| + i |Im λ|, (samples, P), an estimate; None for none."""

    def kernel(self, columns: slice = slice(None)) -> Any:
        """Half form X of some columns of ρ, with workspaces of its own.

        Parameters
        ----------
        columns : slice, default slice(None)
            All of them by default.

        Returns
        -------
        Kernel
            See `manybody.numerics.protocols`.
        """


class Evolution(Protocol):
    """A closed equation at the times it was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> from manybody.physics.problem import Problem
    >>> from manybody.physics.starts import SiteStart
    >>> problem = Problem([mb.dirac_syk2(n_sites=4)], mb.OhmicBath(0.2, 10.0, 5.0))
    >>> (davies,) = mb.EQUATIONS["davies"].propagators(problem)
    >>> states = np.empty((2, 4, 4), dtype=complex)
    >>> davies.evolve(SiteStart(0), np.array([0.0, 5.0])).write(slice(None), states)
    >>> float(abs(states[0, 0, 0]).round(6))
    1.0
    """

    def write(self, chosen: slice, states: Complex) -> None:
        """Write ρ(t) in the site basis at some of the times.

        Parameters
        ----------
        chosen : slice
            Of the times.
        states : (T', N, N) array of complex
            Where they are written to.
        """


class ClosedPropagator(Protocol):
    """A closed equation of one sample; `columns` is for states that no rank can hold.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> from manybody.physics.problem import Problem
    >>> problem = Problem([mb.dirac_syk2(n_sites=4)], mb.OhmicBath(0.2, 10.0, 5.0))
    >>> (davies,) = mb.EQUATIONS["davies"].propagators(problem)
    >>> davies.gibbs_residual(5.0) < 1e-15
    True
    """

    @property
    def can_spread(self) -> bool:
        """Whether `columns` may be called."""

    def evolve(self, start: Start, times: Real) -> Evolution:
        """Everything that does not follow from one time alone.

        Parameters
        ----------
        start : Start
            ρ(0).
        times : (T,) array
            Ascending, >= 0, in 1/J.

        Returns
        -------
        Evolution
            Of which states can be asked.
        """

    def common(self, start: Start, time: float) -> Real:
        """What `columns` needs of a time, small, computed by one rank for all.

        Parameters
        ----------
        start : Start
            ρ(0).
        time : float
            In 1/J.

        Returns
        -------
        array
            Real.
        """

    def columns(self, start: Start, time: float, common: Real, columns: slice) -> Complex:
        """Some columns of V†ρ(t)V, where `can_spread`.

        Parameters
        ----------
        start : Start
            ρ(0).
        time : float
            In 1/J.
        common : array
            What `common` says of this time.
        columns : slice
            Which ones.

        Returns
        -------
        (N, m) array of complex
            In the basis of the eigenvectors V of H.
        """

    def gibbs_residual(self, beta: float) -> float:
        """Largest |element| of L[ρ_Gibbs] in the site basis.

        Parameters
        ----------
        beta : float
            In 1/J.

        Returns
        -------
        float
            In J.
        """

    def derivative(self, rho: Complex) -> Complex:
        """Generator L[ρ] of any matrix in the site basis.

        Parameters
        ----------
        rho : (N, N) array of complex
            Hermitian or not.

        Returns
        -------
        (N, N) array of complex
            In J.
        """


@dataclass(frozen=True)
class Guarantees:
    """Laws that an equation keeps by its form; measured all the same, except positivity.

    Attributes
    ----------
    trace : bool, default True
        tr ρ stays.
    hermiticity : bool, default True
        ρ stays Hermitian.
    complete_positivity : bool, default False
        e^{Lt} is completely positive.
    gibbs : bool, default False
        e^{−βH}/Z is stationary without Lamb shift.
    gibbs_with_lamb_shift : bool, default False
        It is with Lamb shift too.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.EQUATIONS["redfield"].keeps.complete_positivity
    False
    """

    trace: bool = True
    hermiticity: bool = True
    complete_positivity: bool = False
    gibbs: bool = False
    gibbs_with_lamb_shift: bool = False


@dataclass(frozen=True)
class SystemFacts:
    """What costs depend on, of a sample that need not be drawn.

    Attributes
    ----------
    dimension : int
        Number of states D.
    is_real : bool
        Whether H is.
    lamb_shift : bool
        Whether η(ω) is kept.
    basis : FockBasis or None, default None
        Occupations of the states, None for one particle.
    lattice : Lattice or None, default None
        Where the sites lie, None where they lie nowhere.
    has_temperature : bool, default True
        Whether all baths have one and the same, so that Gibbs is stationary.

    Examples
    --------
    >>> import manybody as mb
    >>> from manybody.physics.equations.protocol import SystemFacts
    >>> mb.EQUATIONS["redfield"].operations(SystemFacts(100, is_real=True, lamb_shift=False))
    16000000.0
    """

    dimension: int
    is_real: bool
    lamb_shift: bool
    basis: FockBasis | None = None
    lattice: Lattice | None = None
    has_temperature: bool = True


def always(_model: Model) -> str:
    """No reason against any model: what `Equation.applies` says of itself."""
    return ""


@dataclass(frozen=True)
class Equation:
    """A master equation as data; one of `generator` and `propagators`.

    Parameters
    ----------
    name : str
        As users write it: small letters, digits, "-" and ".".
    title : str
        As reports print it.
    symbol : str
        The index of its ρ there, as LaTeX has it.
    source : str
        Paper and number.
    keeps : Guarantees
        What it guarantees.
    flops : callable
        (is_real, lamb_shift) -> flops in N³, by whether H is real and whether there is a Lamb
        shift, of one application of a stepped equation or of one state of a closed one.
    generator : callable or None, default None
        The stepped generator of a `Problem`.
    rows : callable or None, default None
        CSR rows of some columns of the generator, for assembly; None where it has none.
    propagators : callable or None, default None
        The closed propagators of a `Problem` of one sample: one, or two where it cannot be decided
        which Bohr frequencies coincide: they are kept apart in the first, merged in the second.
    applies : callable, default always
        Why it does not apply to a model, as the end of a sentence, empty where it does.
    needs_terms : bool, default False
        Whether it is made from the terms of a many-particle H on a lattice, so that families
        without them need not be drawn to be refused.
    one_by_one : bool, default False
        Whether it takes problems of one sample only: a stack is advanced sample by sample.
    shares_calls : bool, default False
        Whether a call of its kernel serves a whole stack of small samples, for forecasts.
    needs_spectrum : bool, default True
        Whether it is made from eigenvectors of H, which is diagonalised where one of the equations
        of a call says so.
    needs_model : bool, default False
        Whether it reads the model itself, which every rank that shares a sample then has.
    application_flops : callable or None, default None
        `SystemFacts` -> what `flops` cannot say where D alone does not decide it, of one
        application, in flops of dense products that take as long; None for `flops` times D³.
    setup_flops : callable or None, default None
        `SystemFacts` -> what its generator takes to be made where that is more than some
        applications, in the same measure; None for nothing.
    own_bytes : callable or None, default None
        `SystemFacts` -> what its generator and a kernel of all columns keep on every rank beside
        what a node shares.
    row_entries : callable or None, default None
        `SystemFacts` -> stored entries in a row of the Liouvillian; None for 2D − 1.
    dissipators : callable or None, default None
        D_j[ρ] of one coupling after the other, (D, D) each, of a problem of one sample and a
        Hermitian ρ, where the equation of a coupling alone (`Problem.only`) has another.
    formula : str, default ""
        The equation as reports print it, in Unicode; empty where that is not known.

    Raises
    ------
    ValueError
        The name has other characters, or it is both stepped and closed, or neither.

    Notes
    -----
    An equation is stepped, by a time stepper over its generator, or closed: asked for ρ(t) at the
    times somebody watches.  `registry.register` makes one of your own known by its name.

    Examples
    --------
    >>> import manybody as mb
    >>> redfield, davies = mb.EQUATIONS["redfield"], mb.EQUATIONS["davies"]
    >>> redfield.is_stepped, davies.is_stepped
    (True, False)
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
    shares_calls: bool = False
    needs_spectrum: bool = True
    needs_model: bool = False
    application_flops: Callable[[SystemFacts], float] | None = None
    setup_flops: Callable[[SystemFacts], float] | None = None
    own_bytes: Callable[[SystemFacts], float] | None = None
    row_entries: Callable[[SystemFacts], float] | None = None
    dissipators: Callable[[Problem, Complex], Iterator[Complex]] | None = None
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
        """Flops of one application, or of one state of a closed equation.

        Parameters
        ----------
        facts : SystemFacts
            Of the system.

        Returns
        -------
        float
            In flops of dense products.
        """
        if self.application_flops is not None:
            return self.application_flops(facts)
        return self.flops(facts.is_real, facts.lamb_shift) * float(facts.dimension) ** 3

    def setup(self, facts: SystemFacts) -> float:
        """Flops before the first application, beside a diagonalisation.

        Parameters
        ----------
        facts : SystemFacts
            Of the system.

        Returns
        -------
        float
            In flops of dense products.
        """
        return 0.0 if self.setup_flops is None else self.setup_flops(facts)


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
