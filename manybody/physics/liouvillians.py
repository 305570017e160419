"""Generators as matrices, for small systems and for checking."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from manybody.arrays import Complex
from manybody.errors import InputError, shown
from manybody.physics import arguments
from manybody.physics.assembly import assemble_rows
from manybody.physics.baths.several import AnyBaths, GivenBaths, check_baths
from manybody.physics.equations.davies import DAVIES, davies_of
from manybody.physics.equations.protocol import Equation, check_applies
from manybody.physics.equations.redfield import redfield_of
from manybody.physics.equations.registry import EQUATIONS, check_name
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.spectra import AMBIGUOUS
from manybody.physics.undecided import MERGED, checked, warn_undecided
from manybody.physics.underflow import zero_where_tiny
from manybody.physics.vectorise import column_order_to_row_major

# One dense array of 16 N⁴ bytes: 4.3 GB here, and as much again for Redfield rows.
MAX_SITES = 128


class Liouvillian:
    """A generator L with dρ/dt = L[ρ], on the row-major vec of ρ (index a N + b).

    `redfield_liouvillian`, `davies_liouvillian` and `liouvillian` make them.

    Parameters
    ----------
    n_sites : int
        Number of states N.
    build : callable
        The dense matrix, without arguments.
    clustering : {"simple", "structural", "ambiguous"} or None, default None
        Of the Bohr frequencies of Davies up to 128 sites (docs/physics.md section 4), else None.

    Raises
    ------
    InputError
        `toarray` is asked for more than 128 sites.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> mb.davies_liouvillian(model, bath).shape
    (16, 16)
    """

    def __init__(
        self, n_sites: int, build: Callable[[], Complex], clustering: str | None = None
    ) -> None:
        self.n_sites, self.clustering = n_sites, clustering
        self._build = build

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (N², N²) of the matrix."""
        return self.n_sites**2, self.n_sites**2

    @zero_where_tiny
    def toarray(self) -> Complex:
        """The generator as a dense matrix.

        Returns
        -------
        (N², N²) array of complex
            In J.

        Raises
        ------
        InputError
            It has more than 128 sites.
        """
        if self.n_sites > MAX_SITES:
            raise InputError(
                f"n_sites = {self.n_sites}: a dense Liouvillian has 16 N⁴ bytes, "
                f"allowed are at most {MAX_SITES} sites"
            )
        return self._build()


def redfield_liouvillian(
    model: Model | Matrix, bath: GivenBaths, lamb_shift: bool = False
) -> Liouvillian:
    """Redfield generator, complex-linear.

    Parameters
    ----------
    model : Model or (N, N) array
        What evolves, as in `compare`.
    bath : Bath, sequence of Bath or mapping of int to Bath
        One for all couplings or one for each, as in `compare`.
    lamb_shift : bool, default False
        Whether η(ω) is kept.

    Returns
    -------
    Liouvillian
        In J.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Shiraishi, Nakagawa and Mori (2025), eq. (18); docs/physics.md section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> matrix = mb.redfield_liouvillian(model, bath).toarray()
    >>> trace = np.eye(4).ravel()
    >>> bool(abs(trace @ matrix).max() < 1e-12)  # L keeps the trace
    True
    """

    system, baths = _checked(model, bath, lamb_shift)
    return Liouvillian(system.dimension, partial(_redfield, system, baths, lamb_shift))


def davies_liouvillian(
    model: Model | Matrix, bath: GivenBaths, lamb_shift: bool = False, undecided: str | None = None
) -> Liouvillian:
    """Davies generator, the secular part of Redfield.

    Parameters
    ----------
    model : Model or (N, N) array
        What evolves, as in `compare`.
    bath : Bath, sequence of Bath or mapping of int to Bath
        One for all couplings or one for each, as in `compare`.
    lamb_shift : bool, default False
        Whether η(ω) is kept.
    undecided : {"apart", "merged"} or None, default None
        What to do with Bohr frequencies of which it cannot be decided whether they coincide; None
        keeps them apart with a warning.

    Returns
    -------
    Liouvillian
        In J.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).

    Notes
    -----
    Secular part of Shiraishi, Nakagawa and Mori (2025), eq. (18); docs/physics.md section 4.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> mb.davies_liouvillian(model, bath).clustering
    'simple'
    """

    system, baths = _checked(model, bath, lamb_shift)
    checked(undecided)
    if system.dimension > MAX_SITES:
        return Liouvillian(system.dimension, _refused)
    problem = Problem([system], baths, lamb_shift)
    clustering = problem.clustering
    if clustering.verdict == AMBIGUOUS and undecided is None:
        warn_undecided(clustering.undecided())
    build = partial(_davies, system, baths, lamb_shift, -1 if undecided == MERGED else 0)
    return Liouvillian(system.dimension, build, clustering.verdict)


def liouvillian(
    model: Model | Matrix,
    bath: GivenBaths,
    equation: str,
    lamb_shift: bool = False,
    undecided: str | None = None,
) -> Liouvillian:
    """The generator of any equation of `manybody.EQUATIONS`, complex-linear.

    Parameters
    ----------
    model : Model or (N, N) array
        What evolves, as in `compare`.
    bath : Bath, sequence of Bath or mapping of int to Bath
        One for all couplings or one for each, as in `compare`.
    equation : str
        Its name.
    lamb_shift : bool, default False
        Whether η(ω) is kept.
    undecided : {"apart", "merged"} or None, default None
        As of `davies_liouvillian`, for Davies alone.

    Returns
    -------
    Liouvillian
        In J.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too), or the equation
        does not apply to the model.

    Notes
    -----
    See docs/physics.md sections 3, 4, 10 and 11.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> lindblad = mb.liouvillian(model, bath, "universal-lindblad")
    >>> mb.choi_eigenvalue(lindblad) > -1e-12
    True
    """
    system, baths = _checked(model, bath, lamb_shift)
    check_name(equation)
    found = EQUATIONS[equation]
    if found.name == DAVIES.name:
        return davies_liouvillian(system, bath, lamb_shift, undecided)
    if checked(undecided) is not None:
        raise InputError(
            f"undecided = {shown(undecided)}: equation {found.name!r} has one answer, allowed is "
            "None"
        )
    check_applies([found], [system])
    build = partial(_of_equation, equation, system, baths, lamb_shift)
    return Liouvillian(system.dimension, build)


# Functions of the module: what is kept of a Liouvillian travels between processes.


def _redfield(system: Model, baths: AnyBaths, lamb_shift: bool) -> Complex:
    rows = assemble_rows(redfield_of(Problem([system], baths, lamb_shift))).matrix
    matrix: Complex = column_order_to_row_major(rows, system.dimension).toarray()
    return matrix


def _davies(system: Model, baths: AnyBaths, lamb_shift: bool, answer: int) -> Complex:
    matrix: Complex = davies_of(Problem([system], baths, lamb_shift))[answer].toarray()
    return matrix


def _of_equation(equation: str, system: Model, baths: AnyBaths, lamb_shift: bool) -> Complex:
    return liouvillian_of(EQUATIONS[equation], Problem([system], baths, lamb_shift))


def liouvillian_of(equation: Equation, problem: Problem) -> Complex:
    """(D², D²) generator of one sample on the row-major vec; of a closed one the first answer."""
    if equation.generator is None:
        assert equation.propagators is not None
        propagator: Any = equation.propagators(problem)[0]
        if hasattr(propagator, "toarray"):
            found: Complex = propagator.toarray()
            return found
        return _by_columns(propagator.derivative, problem.dimension)
    generator = equation.generator(problem)
    if equation.rows is not None:
        rows = equation.rows(generator).matrix
        matrix: Complex = column_order_to_row_major(rows, problem.dimension).toarray()
        return matrix
    kernel = generator.kernel()
    half = np.empty((1, problem.dimension, problem.dimension), dtype=np.complex128)

    def derivative(sigma: Complex) -> Complex:
        """L[σ] = X(σ) + X(σ†)†."""
        kernel(sigma[None], half)
        own: Complex = half[0].copy()
        kernel(np.ascontiguousarray(sigma.conj().T)[None], half)
        own += half[0].conj().T
        return own

    return _by_columns(derivative, problem.dimension)


def _by_columns(derivative: Callable[[Complex], Complex], dimension: int) -> Complex:
    """L[|a⟩⟨b|] of every a and b."""
    matrix = np.empty((dimension**2, dimension**2), dtype=np.complex128)
    unit = np.zeros((dimension, dimension), dtype=np.complex128)
    for index in range(dimension**2):
        unit.flat[index] = 1.0
        matrix[:, index] = derivative(unit).ravel()
        unit.flat[index] = 0.0
    return matrix


def _refused() -> Complex:
    raise AssertionError("`toarray` refuses so many sites itself")


def _checked(model: Any, bath: object, lamb_shift: object) -> tuple[Model, AnyBaths]:
    """The model and the baths of these arguments, all of them checked."""
    system = model_from(model)
    arguments.boolean("lamb_shift", lamb_shift)
    return system, check_baths(bath, system.couplings, lamb_shift)
