"""One large sample for the ranks that share it: rank 0 diagonalises, a node keeps one copy.

What is made from terms of the model has the model on every rank instead.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import scipy.sparse as sp
from numpy.typing import NDArray

from manybody.arrays import Real
from manybody.parallel.collective import size_of, together
from manybody.parallel.node_memory import NodeMemory
from manybody.physics.bath_groups import BathGroup, couplings_by_bath
from manybody.physics.baths.several import AnyBaths
from manybody.physics.couplings import Couplings, SiteProjectors
from manybody.physics.equations.protocol import Equation
from manybody.physics.equations.redfield import RedfieldGenerator, sparse_of
from manybody.physics.fock.basis import FockBasis
from manybody.physics.models.protocol import Model
from manybody.physics.problem import Problem
from manybody.physics.spectra import SIMPLE, Clustering, Spectrum, give_cached
from manybody.system.communicator import Communicator


@contextlib.contextmanager
def shared_problem(
    model: Model | None,
    bath: AnyBaths,
    lamb_shift: bool,
    comm: Communicator | None,
    operator: str = "matrix-free",
    equations: Sequence[Equation] = (),
    needs_hamiltonian: bool = False,
) -> Iterator[Problem]:
    """The problem of one sample on every rank of `comm`; its large arrays go with the block.

    model: needed on rank 0 alone; operator: what is going to apply the generators; equations:
    what is going to be made of it, with the spectrum as a rule: where none of them needs it, H
    is not diagonalised; needs_hamiltonian: have H itself of one particle too.  Collective.
    """
    if equations and not any(each.needs_spectrum for each in equations):
        yield Problem([_for_all(model, comm)], bath, lamb_shift)
        return
    with NodeMemory(comm) as memory:
        problem = _share(model, bath, lamb_shift, operator, needs_hamiltonian, comm, memory)
        if any(each.needs_model for each in equations):
            problem.models = (_for_all(model, comm),)
        yield problem


def _for_all(model: Model | None, comm: Communicator | None) -> Model:
    """The model of rank 0, on every rank, each with a copy of its own; collective."""
    return together(comm, lambda: at_hand(model))


def at_hand(model: Model | None) -> Model:
    """The model on rank 0, which must have it; others may have None."""
    if model is None:
        raise ValueError("rank 0 needs the model")
    return model


@contextlib.contextmanager
def problem_of(
    model: Model, bath: AnyBaths, lamb_shift: bool, comm: Communicator | None
) -> Iterator[Problem]:
    """The problem of one sample, shared where `comm` has several ranks, each with the model."""
    if size_of(comm) == 1:
        yield Problem([model], bath, lamb_shift)
    else:
        with shared_problem(model, bath, lamb_shift, comm) as problem:
            yield problem


def _share(
    model: Model | None,
    bath: AnyBaths,
    lamb_shift: bool,
    operator: str,
    needs_hamiltonian: bool,
    comm: Communicator | None,
    memory: NodeMemory,
) -> Problem:
    """Rank 0 computes, array after array, so that what it no longer needs is gone."""
    built: dict[str, Any] = {}

    def shared(name: str) -> NDArray[Any]:
        return memory.share(built.pop(name, None))

    def all_shared(name: str) -> tuple[NDArray[Any], ...]:
        arrays = list(built.pop(name, ()))
        count = together(comm, lambda: len(arrays))
        return tuple(memory.share(arrays.pop(0) if arrays else None) for _ in range(count))

    def diagonalise() -> tuple[Real, Couplings, Real | None, Real | None]:
        spectrum = Problem([at_hand(model)], bath, lamb_shift).spectrum
        built.update(energies=spectrum.energies, vectors=spectrum.vectors)
        return spectrum.norms, spectrum.couplings, spectrum.uncertainties, spectrum.centres

    facts_of_h = together(comm, diagonalise)
    energies, vectors = shared("energies"), shared("vectors")
    given = _share_hamiltonian(model, needs_hamiltonian, comm, memory)
    first = Problem.of_spectrum(Spectrum(energies, vectors, *facts_of_h), bath, lamb_shift)

    def classify() -> tuple[Clustering, float]:
        built["rates"] = tuple(group.rates for group in first.groups)
        return first.clustering, first.kms_residuals[0]

    give_cached(first, **given)
    clustering, kms_residual = together(comm, classify)
    rates = all_shared("rates")
    groups_on = partial(_groups_on, bath=bath, rates=rates)
    sparse = sparse_of(first)
    # Dephasing is the weights, for one particle.
    one_particle = isinstance(first.couplings, SiteProjectors)
    derived = ("weights",) if one_particle else ("weights", "dephasing")
    wants_decay = operator == "assembled" or clustering.verdict != SIMPLE

    def bound() -> dict[str, Any]:
        generator = RedfieldGenerator(first.spectrum, groups_on(first.spectrum), sparse)
        if operator == "matrix-free":
            # First: what a decay is made of is at hand then.
            built["kernel_arrays"] = generator.kernel_arrays
        names = ("spectral_box", "spectral_outline", "decay_bound", "losses")
        figures = {name: getattr(generator, name) for name in names}
        built.update({name: getattr(first.spectrum, name) for name in derived})
        if wants_decay:
            built["decay"] = generator.decay
        return figures

    facts = together(comm, bound)
    # Fresh ones: what `first` has derived on the way is no longer needed.
    spectrum = Spectrum(energies, vectors, *facts_of_h)
    give_cached(spectrum, **{name: shared(name) for name in derived})
    groups = groups_on(spectrum)
    generator = RedfieldGenerator(spectrum, groups, sparse)
    if wants_decay:
        facts["decay"] = shared("decay")
    if operator == "matrix-free":
        facts["kernel_arrays"] = all_shared("kernel_arrays")
    give_cached(generator, **facts)
    problem = Problem.of_spectrum(spectrum, bath, lamb_shift)
    if model is not None:
        problem.models = (model,)
    give_cached(problem, **given)
    give_cached(problem, groups=groups, clusterings=(clustering,), kms_residuals=(kms_residual,))
    problem.give("redfield", generator)
    return problem


def _groups_on(
    spectrum: Spectrum, bath: AnyBaths, rates: Sequence[NDArray[Any]]
) -> tuple[BathGroup, ...]:
    """The groups of a spectrum whose Γ(E_k − E_l) are at hand, in the order of `bath_groups`."""
    shared = couplings_by_bath(spectrum.couplings, bath)
    return tuple(BathGroup(spectrum, *own, each) for own, each in zip(shared, rates))


def _share_hamiltonian(
    model: Model | None, always: bool, comm: Communicator | None, memory: NodeMemory
) -> dict[str, Any]:
    """What a problem knows of its model beside the spectrum; collective.

    Of one particle H is left out, unless it is to be there always.
    """

    def facts() -> tuple[bool, FockBasis | None, sp.csr_array | None]:
        own = at_hand(model)
        left_out = isinstance(own.couplings, SiteProjectors) and not always
        is_sparse = not left_out and sp.issparse(own.hamiltonian)
        return left_out, getattr(own, "basis", None), own.hamiltonian if is_sparse else None

    left_out, basis, hamiltonian = together(comm, facts)
    if left_out:
        return {"basis": None}
    if hamiltonian is None:
        hamiltonian = memory.share(None if model is None else model.hamiltonian)
    return {"basis": basis, "hamiltonians": (hamiltonian,)}
