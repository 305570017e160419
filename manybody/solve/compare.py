"""One sample from Hamiltonian to result.  Newcomers read this first.

A model is diagonalised once (its `Problem`), or not at all where no equation needs that; every
other equation is built from the same spectrum; all are advanced side by side, segment by
segment (evolution.py), and what is observed on the way is all that is kept. Small systems lie
in stacks on one process (stacked.py), a large one is spread over the ranks of a communicator
(spread.py).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from manybody.errors import warn_caller
from manybody.numerics.protocols import Stepper
from manybody.numerics.steppers import Assembled, MatrixFree, check_ranks
from manybody.parallel.collective import agree, by_first_ranks, on_every_rank, rank_of, size_of
from manybody.physics import arguments
from manybody.physics.baths.several import GivenBaths
from manybody.physics.equations.registry import DEFAULT
from manybody.physics.models.given import Matrix, model_from
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.solve.comparison import (
    Comparison,
    Setting,
    ambiguity_warning,
    balance_warning,
    check_setting,
    fingerprint,
    without_states,
)
from manybody.solve.evolution import unwatched
from manybody.solve.progress import Watched
from manybody.solve.spread import compare_large
from manybody.solve.stacked import compare_stack, is_large, stacks_of_a_kind
from manybody.solve.unphysical import ensemble_warning, outside_warning
from manybody.system.blas import blas_threads
from manybody.system.communicator import Communicator, check_communicator


def compare(  # noqa: PLR0913 the public door has what every one of its rooms needs
    model: Model | Matrix,
    bath: GivenBaths,
    times: Iterable[float],
    initial_site: int = 0,
    lamb_shift: bool = False,
    stepper: str | Stepper = "chebyshev",
    tolerance: float = 1e-10,
    keep_states: bool = False,
    comm: Communicator | None = None,
    petsc_options: str = "",
    operator: str | MatrixFree | Assembled = "matrix-free",
    drop_tolerance: float = 0.0,
    initial_beta: float | None = None,
    equations: Sequence[str] = DEFAULT,
    initial_state: Any = None,
    expectations: Any = (),
) -> Comparison:
    """Trace distances between the evolutions of one system by several master equations.

    Parameters
    ----------
    model : Model or (N, N) array
        What evolves; a bare Hamiltonian (an array, SciPy sparse, a QuTiP `Qobj`) is of one
        particle with a bath on every site.
    bath : Bath, sequence of Bath or mapping of int to Bath
        What it couples to: one bath for every coupling, a sequence of one for each (ascending
        coupled sites of one particle, else in the order of the couplings), or a mapping from site,
        or number of the coupling, to bath.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J.
    initial_site : int, default 0
        j of the start ρ(0) = |j⟩⟨j| of one particle.
    lamb_shift : bool, default False
        Keep η(ω) in all equations.
    stepper : str or Stepper, default "chebyshev"
        One of `manybody.STEPPERS`, or an object such as `manybody.PetscTS("8vr", options=...)`.
    tolerance : float, default 1e-10
        In [1e-13, 0.01], see the stepper.
    keep_states : bool, default False
        Return all states, on rank 0.
    comm : mpi4py communicator or None, default None
        Its ranks all call this and share the sample; every rank returns the same small arrays,
        which agree with those of one process to rounding.
    petsc_options : str, default ""
        As on PETSc's command line, prefix "redfield_".
    operator : str or object, default "matrix-free"
        One of `manybody.OPERATORS`, or `MatrixFree` or `Assembled`; "assembled" needs PETSc.
    drop_tolerance : float, default 0.0
        Entries of Λ_j smaller than this part of the largest rate are left out of an assembled
        operator (docs/physics.md section 3); the certificate says how many and what they may have
        done.
    initial_beta : float or None, default None
        Start from e^{−βH}/Z at this β >= 0 in 1/J, inf for the mixture of its ground states.
    equations : sequence of str, default ("redfield", "davies")
        Two or more of `manybody.EQUATIONS`; "quasi-local-R" of models with terms on a lattice, see
        Notes.
    initial_state : str, sequence or array or None, default None
        Another start, see Notes.
    expectations : sequence of str or mapping of str to operator, default ()
        What tr(Mρ(t)) to return, see Notes.

    Returns
    -------
    Comparison
        Distances, smallest eigenvalues, local figures and a certificate.

    Raises
    ------
    InputError
        An argument is out of range, of a wrong type (then a `TypeError` too) or different on the
        ranks: before any work and on every rank.
    Unavailable
        PETSc is needed and missing.
    NumericalError
        A stepper does not converge, or a growing mode leaves the range of double precision.

    Warns
    -----
    UserWarning
        On rank 0, when a ρ leaves the states (a trace distance above 2, an eigenvalue below -0.1),
        with the mode that grows, when the spectrum leaves Davies undetermined, and when the bath
        breaks detailed balance.

    Notes
    -----
    The measure of Shiraishi, Nakagawa and Mori (2025), Fig. 1; see docs/physics.md
    sections 1, 3 and 4.

    Starts: one particle starts on a site; many start spread evenly over the sites, from the Néel
    pattern at half filling.  `initial_state` may be "spread", "neel", "domain-wall", a pattern of
    occupations such as "0110" or a list of them, "eigenstate-K" counted from the lowest, "mixed"
    (1/D), a (D,) vector of norm one, or a (D, D) density matrix; of one particle also
    "mixed-A-B-C" (one of these sites, all as likely), "uniform" (all sites with one amplitude) and
    "plane-wave-K" (ψ_j = e^{2πiKj/N}/√N over the sites in their order).

    Expectations: names, or a mapping of names of yours to operators M: (D, D) Hermitian arrays,
    sparse ones or those of other packages, (D,) real diagonals, or one of the names "populations"
    (⟨n_j⟩ of every site), "energy" (tr(Hρ) in J), "coherence-A-B" (Re and Im ρ_AB between two
    sites, of many particles ⟨a_B†a_A⟩), "current-A-B" (from site A to site B, of one particle, 2
    Im(h_BA ρ_AB)).

    With "quasi-local-R" alone H is never diagonalised: no thermal start and no eigenstate then,
    the certificate's clustering is "unexamined", its figures on Bohr frequencies and the Gibbs
    state are nan.

    How far it is, with rate and time left, goes to the logger "manybody" every ten seconds:
    `logging.basicConfig(level=logging.INFO)` shows it.

    BLAS runs on one thread unless OPENBLAS_NUM_THREADS or its like says otherwise.  What fails on
    one rank while the others wait for it, memory say, is raised there alone: under mpirun start
    with `python -m mpi4py`.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=8, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> run = mb.compare(model, bath, times=[0.0, 10.0, 20.0])
    >>> run.trace_distance.shape, bool(0.0 < run.trace_distance[1] < 0.2)
    ((3,), True)
    """
    check_communicator(comm)
    system = on_every_rank(comm, lambda: model_from(model))

    scheme = stepper, tolerance, petsc_options, operator, drop_tolerance
    wishes = initial_beta, equations, initial_state, expectations

    def checked() -> Setting:
        arguments.boolean("keep_states", keep_states)
        check_ranks(stepper, size_of(comm))
        return check_setting([system], bath, times, initial_site, lamb_shift, *scheme, *wishes)

    setting = on_every_rank(comm, checked)
    agree(comm, **fingerprint(system, setting, keep_states))

    def action(ranks: Communicator | None) -> Comparison:
        return _compare_one(system, setting, ranks, keep_states)

    # With more ranks than sites the first have a column each, the others wait for the result.
    result = by_first_ranks(comm, system.dimension, action, without_states)
    if rank_of(comm) == 0:
        warn_caller(
            balance_warning(result.certificate),
            ambiguity_warning(result.certificate),
            outside_warning(result, system, setting.bath, lamb_shift),
        )
    return result


def _compare_one(
    model: Model, setting: Setting, comm: Communicator | None, keep_states: bool
) -> Comparison:
    # Amplitudes that vanish are zero, whatever np.seterr says.
    with blas_threads(), np.errstate(under="ignore"):
        watch = Watched("segments of time") if rank_of(comm) == 0 else unwatched
        if is_spread(model.dimension, setting.operator, size_of(comm)):
            return compare_large(model, setting, comm, keep_states, watch=watch)
        problem = Problem([model], setting.bath, setting.lamb_shift)
        return compare_stack(problem, setting, keep_states, watch)[0]


def compare_problems(problem: Problem, setting: Setting) -> list[Comparison]:
    """`compare_ensemble` of a stack of small samples of one kind, without warnings."""
    with blas_threads(), np.errstate(under="ignore"):
        return compare_stack(problem, setting)


def is_spread(dimension: int, operator: str, n_ranks: int = 1) -> bool:
    """Whether samples are computed one by one, spread over ranks or alone."""
    return n_ranks > 1 or operator == "assembled" or is_large(dimension)


def compare_ensemble(
    models: Iterable[Model | Matrix],
    bath: GivenBaths,
    times: Iterable[float],
    initial_site: int = 0,
    lamb_shift: bool = False,
    stepper: str | Stepper = "chebyshev",
    tolerance: float = 1e-10,
    petsc_options: str = "",
    operator: str | MatrixFree | Assembled = "matrix-free",
    drop_tolerance: float = 0.0,
    initial_beta: float | None = None,
    equations: Sequence[str] = DEFAULT,
    initial_state: Any = None,
    expectations: Any = (),
    keep_states: bool = False,
) -> list[Comparison]:
    """Comparisons of many samples on this process; small ones share their matrix products.

    Parameters
    ----------
    models : iterable of Model or (N, N) array
        The samples.
    bath : Bath, sequence of Bath or mapping of int to Bath
        As of `compare`.
    times : (T,) sequence of float
        Ascending, >= 0, in 1/J.
    initial_site : int, default 0
        As of `compare`.
    lamb_shift : bool, default False
        Keep η(ω) in all equations.
    stepper : str or Stepper, default "chebyshev"
        As of `compare`.
    tolerance : float, default 1e-10
        In [1e-13, 0.01], see the stepper.
    petsc_options : str, default ""
        As on PETSc's command line, prefix "redfield_".
    operator : str or object, default "matrix-free"
        As of `compare`.
    drop_tolerance : float, default 0.0
        As of `compare`.
    initial_beta : float or None, default None
        As of `compare`, in 1/J.
    equations : sequence of str, default ("redfield", "davies")
        Two or more of `manybody.EQUATIONS`.
    initial_state : str, sequence or array or None, default None
        As of `compare`.
    expectations : sequence of str or mapping of str to operator, default ()
        As of `compare`.
    keep_states : bool, default False
        Return all states; those of all samples are in memory at once.

    Returns
    -------
    list of Comparison
        In the order of the models.  Every one has the bits that `compare` alone would give it,
        whatever the other samples are.

    Raises
    ------
    InputError
        An argument is out of range or of a wrong type (then a `TypeError` too).
    Unavailable
        PETSc is needed and missing.
    NumericalError
        A stepper does not converge, or a growing mode leaves the range of double precision.

    Warns
    -----
    UserWarning
        Once, with the number of samples in which a ρ leaves the states.  A spectrum that leaves
        Davies undetermined is named by its certificate, without a warning.

    Notes
    -----
    The average of Shiraishi, Nakagawa and Mori (2025), Fig. 1; docs/physics.md section 1.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> samples = [mb.dirac_syk2(n_sites=8, seed=[7, sample]) for sample in range(10)]
    >>> runs = mb.compare_ensemble(samples, mb.OhmicBath(0.2, 10.0, 5.0), [0.0, 10.0, 20.0])
    >>> distances = np.array([run.trace_distance for run in runs])
    >>> mean, error = distances.mean(axis=0), distances.std(axis=0, ddof=1) / np.sqrt(10)
    >>> mean.shape
    (3,)
    """
    arguments.boolean("keep_states", keep_states)
    given = arguments.entries("models", models, "a sequence of models")
    systems = [model_from(model, f"models[{index}]") for index, model in enumerate(given)]
    scheme = stepper, tolerance, petsc_options, operator, drop_tolerance
    wishes = initial_beta, equations, initial_state, expectations
    setting = check_setting(systems, bath, times, initial_site, lamb_shift, *scheme, *wishes)
    runs = _compare_many(systems, setting, keep_states)
    worst = max(runs, key=lambda run: run.certificate.kms_residual, default=None)
    warn_caller(
        balance_warning(worst.certificate) if worst else "",
        ensemble_warning(runs, systems, setting.bath, lamb_shift),
    )
    return runs


def _compare_many(
    models: Sequence[Model], setting: Setting, keep_states: bool
) -> list[Comparison]:
    results: dict[int, Comparison] = {}
    watch, work = Watched("samples"), sum(model.dimension**3 for model in models)
    with blas_threads(), np.errstate(under="ignore"):
        for stack in stacks_of_a_kind(models):
            chosen = [models[index] for index in stack]
            if is_spread(chosen[0].dimension, setting.operator):
                results.update(
                    (index, compare_large(models[index], setting, None, keep_states))
                    for index in stack
                )
            else:
                problem = Problem(chosen, setting.bath, setting.lamb_shift)
                results.update(zip(stack, compare_stack(problem, setting, keep_states)))
            done = sum(models[index].dimension ** 3 for index in results)
            watch(len(results), len(models), done / work)
    return [results[index] for index in range(len(models))]
