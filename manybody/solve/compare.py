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

    One particle starts on a site, ρ(0) = |j⟩⟨j| at j = `initial_site` (SNM Fig. 1); many start
    spread evenly over the sites, from the Néel pattern at half filling.  Any system starts from
    e^{−βH}/Z at β = `initial_beta` where that is given, >= 0 in 1/J, inf for the mixture of its
    ground states, or from `initial_state`:
    "spread", "neel", "domain-wall", a pattern of occupations such as "0110" or a list of them,
    "eigenstate-K" counted from the lowest, "mixed" (1/D), a (D,) vector of norm one, or a (D, D)
    density matrix; of one particle also "mixed-A-B-C" (one of these sites, all as likely),
    "uniform" (all sites with one amplitude) and "plane-wave-K" (ψ_j = e^{2πiKj/N}/√N over the
    sites in their order).

    model, bath: what evolves, also a bare (N, N) Hamiltonian (an array, SciPy sparse, a QuTiP
    `Qobj`) of one particle with a bath on every site, and what it couples to: one bath for every
    coupling, a sequence of
    one for each (ascending coupled sites of one particle, else in the order of the couplings),
    or a mapping from site, or number of the coupling, to bath; times: ascending, >= 0, in 1/J;
    lamb_shift: keep η(ω) in all equations; stepper: one of `manybody.STEPPERS`, or an object
    such as `manybody.PetscTS("8vr", options=...)`; tolerance: see the stepper; keep_states:
    return all states, on rank 0; comm: an mpi4py communicator whose ranks all call this and
    share the sample, or None; every rank returns the same small arrays, which agree with those
    of one process to rounding; petsc_options: as on PETSc's command line, prefix "redfield_";
    operator: one of `manybody.OPERATORS`, or an object, "assembled" needs PETSc;
    drop_tolerance: entries of Λ_j smaller than this part of the largest rate are left out of an
    assembled operator (PHYSICS.md section 3), the certificate says how many and what they may
    have done; equations: names of two or more of `manybody.EQUATIONS`, "quasi-local-R" of
    models with terms on a lattice. With these alone H is never diagonalised: no thermal start
    and no eigenstate then, the certificate's clustering is "unexamined", its figures on Bohr
    frequencies and the Gibbs state are nan; expectations: what tr(Mρ(t)) to return, names or a
    mapping of names of yours to operators M: (D, D) Hermitian arrays, sparse ones or those of
    other packages, (D,) real diagonals, or one of the names "populations" (⟨n_j⟩ of every site),
    "energy" (tr(Hρ) in J), "coherence-A-B" (Re and Im ρ_AB between two sites, of many particles
    ⟨a_B†a_A⟩), "current-A-B" (from site A to site B, of one particle, 2 Im(h_BA ρ_AB)).
    How far it is, with rate and time left, goes to the logger "manybody" every ten seconds:
    logging.basicConfig(level=logging.INFO) shows it.
    BLAS runs on one thread unless OPENBLAS_NUM_THREADS or its like says otherwise.

    Warns, on rank 0, when a ρ leaves the states (a trace distance above 2, an eigenvalue below
    -0.1) and names the mode that grows, when the spectrum leaves Davies undetermined, and when
    the bath breaks detailed balance.
    Raises InputError (a ValueError, where a type is wrong a TypeError too) for arguments out of
    range or different on the ranks, before any work and on every rank; Unavailable when PETSc is
    needed and missing; NumericalError when a stepper does not converge or a growing mode leaves
    the range of double precision.  What
    fails on one rank while the others wait for it, memory say, is raised there alone: under
    mpirun start with `python -m mpi4py`.
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
    """`compare` for many samples on this process; small ones share their matrix products.

    Arguments and errors are those of `compare`; with `keep_states` all states of all samples are
    in memory at once.  Every result has the bits that
    `compare` alone would give it, whatever the other samples are.  One warning counts the
    samples in which ρ_R leaves the states.  A spectrum that leaves Davies undetermined is
    named by its certificate, without a warning.
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
