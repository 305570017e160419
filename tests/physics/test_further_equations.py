"""Universal Lindblad, partial secular and local: generators against their definitions."""

import functools

import numpy as np
import oracles
import pytest
from further_cases import ONE, baths_of, cases
from jump_oracles import jump_shift

import manybody as mb
from manybody.errors import InputError
from manybody.physics import reference
from manybody.physics.baths.jump_correlator import JumpCorrelator
from manybody.physics.baths.several import check_baths
from manybody.physics.equations import partial_secular as secular
from manybody.physics.equations.local import local_of
from manybody.physics.equations.partial_secular import (
    build_partial_secular,
    kept_elements,
    partial_secular,
)
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.equations.registry import EQUATIONS
from manybody.physics.equations.universal_lindblad import universal_lindblad_of
from manybody.physics.problem import Problem
from manybody.physics.quantities.heat import dissipators
from manybody.physics.vectorise import column_order_to_row_major

CASES = cases()
EVERY = pytest.mark.parametrize("kind", list(CASES))
BOTH = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
STEPPED = ("universal-lindblad", "partial-secular", "partial-secular-0.4", "local")


def problem_of(kind, lamb_shift):
    model, given = CASES[kind]
    return Problem([model], check_baths(given, model.couplings), lamb_shift)


@functools.cache
def correlator(bath):
    return JumpCorrelator(bath)


@functools.cache
def shift(bath, p, q):
    return float(jump_shift(correlator(bath), p, q))


def slow(kind, name, lamb_shift):
    """The superoperator by definition."""
    model, given = CASES[kind]
    baths = baths_of(model, given)
    hamiltonian, couplings = model.dense_hamiltonian(), list(model.couplings.matrices())
    arguments = hamiltonian, couplings, baths
    if name == "universal-lindblad":
        return reference.universal_lindblad_liouvillian(*arguments, shift if lamb_shift else None)
    if name == "local":
        return reference.local_liouvillian(*arguments, lamb_shift)
    cutoff = float(name.removeprefix("partial-secular-"))
    # Levels that are equal but for rounding have equal frequencies.
    return reference.partial_secular_liouvillian(*arguments, lamb_shift, cutoff + 1e-11)


def applied(generator, dimension, rng):
    """L by kernels of some columns each, on a matrix that is not Hermitian, and the matrix."""
    sigma = rng.normal(size=(2, dimension, dimension))
    sigma = np.ascontiguousarray(sigma[0] + 1j * sigma[1])[None]
    turned = np.ascontiguousarray(sigma.conj().swapaxes(1, 2))
    halves = []
    for whole in (sigma, turned):
        parts = []
        for columns in (slice(0, 2), slice(2, dimension)):
            block = np.ascontiguousarray(whole[:, :, columns])
            kernel, out = generator.kernel(columns), np.empty_like(block)
            kernel(block, out, whole)
            parts.append(out[0])
        halves.append(np.concatenate(parts, axis=1))
    return halves[0] + halves[1].conj().T, sigma[0]


@EVERY
@BOTH
@pytest.mark.parametrize("name", ["universal-lindblad", "partial-secular-0.4", "local"])
def test_kernels_and_rows_are_the_definition(kind, name, lamb_shift, rng):
    model, equation = CASES[kind][0], EQUATIONS[name]
    if equation.applies(model):
        assert name == "local" and kind in ("ladder", "matrices")
        with pytest.raises(InputError, match="'local' does not apply to model 'many-body': bare"):
            mb.liouvillian(*CASES[kind], name, lamb_shift)
        return
    problem, expected = problem_of(kind, lamb_shift), slow(kind, name, lamb_shift)
    size = np.linalg.norm(expected)
    found = mb.liouvillian(*CASES[kind], name, lamb_shift).toarray()
    assert np.linalg.norm(found - expected) < 1e-12 * size
    generator = equation.generator(problem)
    image, sigma = applied(generator, model.dimension, rng)
    np.testing.assert_allclose(image.ravel(), expected @ sigma.ravel(), atol=1e-12 * size)
    if equation.rows is None:
        return
    upper, lower = (equation.rows(generator, part) for part in (slice(0, 1), slice(1, None)))
    rows = np.concatenate([upper.matrix.toarray(), lower.matrix.toarray()])
    found = column_order_to_row_major(rows, model.dimension)
    assert np.linalg.norm(found - expected) < 1e-12 * size
    assert upper.entries_kept == upper.matrix.nnz


@EVERY
@BOTH
def test_partial_secular_lies_between_davies_and_redfield(kind, lamb_shift):
    """A cutoff of 0 merges what clustering takes for equal, one of more than the band all."""
    ends = {"partial-secular-0": "davies", "partial-secular-1000": "redfield"}
    for name, other in ends.items():
        found, expected = (
            mb.liouvillian(*CASES[kind], each, lamb_shift).toarray() for each in (name, other)
        )
        assert np.linalg.norm(found - expected) < 1e-12 * np.linalg.norm(expected), name
    between = mb.liouvillian(*CASES[kind], "partial-secular-0.4", lamb_shift).toarray()
    assert np.linalg.norm(between - found) > 1e-6 * np.linalg.norm(found)


def test_pairs_on_the_cutoff_are_kept_and_pairs_are_no_clusters():
    """Levels 0, 1, 2.1, 3.3: gaps 1, 1.1 and 1.2 are a chain of links of 0.1."""
    levels = np.array([0.0, 1.0, 2.1, 3.3])
    model = mb.ManyBodyModel(np.diag(levels), [np.ones((4, 4))])
    spectrum = Problem([model], ONE).spectrum
    gaps = (levels[:, None] - levels).ravel()
    for cutoff, count in ((0.1, 1), (0.2, 2)):
        kept = kept_elements(spectrum, cutoff)
        (place,) = np.flatnonzero(kept.targets == 1)
        sources = kept.order[kept.first[place] : kept.stop[place]]
        # From |0⟩⟨1|, of frequency −1, to those of −1.1 and, beyond the first, −1.2.
        within = np.flatnonzero(np.abs(gaps + 1.0) <= cutoff + 1e-9)
        assert sorted(sources) == sorted(within) and len(sources) == 1 + count
    assert kept.count == sum(
        np.count_nonzero(np.abs(gaps - gaps[target]) <= 0.2 + 1e-9) for target in kept.targets
    )


def test_the_own_cutoff_is_the_largest_rate_at_which_a_level_is_left():
    model = CASES["complex"][0]
    problem = Problem([model], ONE)
    energies, vectors = np.linalg.eigh(model.dense_hamiltonian())
    overlaps = (np.abs(vectors) ** 2).T @ np.abs(vectors) ** 2
    rates = ONE.gamma(energies[None, :] - energies[:, None]) * overlaps
    generator = build_partial_secular(problem, None)
    np.fill_diagonal(rates, 0.0)
    assert generator.cutoffs[0] == pytest.approx(rates.sum(axis=0).max(), rel=1e-12)
    same = build_partial_secular(problem, float(generator.cutoffs[0]))
    np.testing.assert_array_equal(
        generator.dissipators[0].toarray(), same.dissipators[0].toarray()
    )


@BOTH
@pytest.mark.parametrize("name", STEPPED)
@pytest.mark.parametrize("is_real", [False, True])
def test_a_sample_has_its_bits_in_any_stack(name, is_real, lamb_shift, rng):
    models = [mb.SingleParticleModel(oracles.random_hermitian(rng, 5, is_real)) for _ in range(3)]
    stack = EQUATIONS[name].generator(Problem(models, ONE, lamb_shift))
    sigma = rng.normal(size=(3, 5, 5)) + 1j * rng.normal(size=(3, 5, 5))
    out = np.empty_like(sigma)
    factors = np.array([1.0, 0.5, 2.0])
    stack.kernel().scaled(factors)(sigma, out)
    few = np.empty_like(sigma[:2])
    stack.kernel()(sigma[:2], few)
    for index, model in enumerate(models):
        alone = EQUATIONS[name].generator(Problem([model], ONE, lamb_shift))
        one = np.empty_like(sigma[:1])
        alone.kernel()(sigma[index : index + 1], one)
        np.testing.assert_array_equal(out[index], factors[index] * one[0])
        if index < 2:
            np.testing.assert_array_equal(few[index], one[0])
        np.testing.assert_array_equal(stack.spectral_box[index], alone.spectral_box[0])


@EVERY
@BOTH
@pytest.mark.parametrize("name", STEPPED)
def test_spectra_lie_in_their_boxes(kind, name, lamb_shift):
    if EQUATIONS[name].applies(CASES[kind][0]):
        return
    box = EQUATIONS[name].generator(problem_of(kind, lamb_shift)).spectral_box[0]
    values = np.linalg.eigvals(mb.liouvillian(*CASES[kind], name, lamb_shift).toarray())
    assert np.abs(values.imag).max() <= box[0]
    assert box[1] - 1e-12 <= values.real.min() and values.real.max() <= box[2] + 1e-12


def test_an_offset_of_the_energies_is_no_part_of_an_equation(rng):
    hamiltonian = oracles.random_hermitian(rng, 5)
    for name in STEPPED:
        here, there = (
            mb.liouvillian(mb.SingleParticleModel(each), ONE, name, True).toarray()
            for each in (hamiltonian, hamiltonian + 1e6 * np.eye(5))
        )
        np.testing.assert_allclose(there, here, atol=1e-8)


def test_what_a_number_in_a_coupling_does():
    """Nothing to all but the universal Lindblad equation, which is that of the A_j as given."""
    model, given = CASES["diagonals"]
    moved = mb.ManyBodyModel(model.dense_hamiltonian(), model.couplings.values + 0.7)
    for name in ("redfield", "davies", *STEPPED):
        here, there = (mb.liouvillian(each, given, name).toarray() for each in (model, moved))
        change = np.linalg.norm(there - here) / np.linalg.norm(here)
        assert (change > 1e-3) == (name == "universal-lindblad") and (
            change > 1e-3 or change < 1e-12
        )


def test_nothing_happens_without_a_bath(rng):
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 4))
    expected = reference.redfield_liouvillian(
        model.dense_hamiltonian(), [], mb.OhmicBath(0.0, 10.0, 1.0), False
    )
    for name in STEPPED:
        found = mb.liouvillian(model, mb.OhmicBath(0.0, 10.0, 1.0), name, True).toarray()
        np.testing.assert_allclose(found, expected, atol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "partial-secular-0.10",
            "equation: 'partial-secular-0.10' must be one of .*, partial-secular-CUTOFF",
        ),
        ("partial-secular--1", "must be one of"),
        ("partial-secular-", "must be one of"),
        ("partial-secular-1e-3", "must be one of"),
        ("partial-secular-00.1", "must be one of"),
        (3, "equation: 3 must be one of"),
    ],
)
def test_names_that_are_none(name, words):
    with pytest.raises(InputError, match=words):
        mb.liouvillian(*CASES["complex"], name)
    assert name not in EQUATIONS


def test_names_with_a_number():
    found = EQUATIONS["partial-secular-0.1"]
    assert found.name == "partial-secular-0.1" and found is EQUATIONS["partial-secular-0.1"]
    assert found.title == "Partial secular (cutoff 0.1)" and "partial-secular-2" in EQUATIONS
    assert "partial-secular-0.1" not in list(EQUATIONS) and len(EQUATIONS) == len(list(EQUATIONS))
    assert partial_secular(2.0).name == "partial-secular-2"
    assert partial_secular(1e-7).name == "partial-secular-0.0000001"
    for bad in (-0.1, np.inf, "0.1"):
        with pytest.raises((ValueError, TypeError), match="cutoff = "):
            partial_secular(bad)


def test_what_is_refused(monkeypatch):
    model, given = CASES["complex"]
    with pytest.raises(InputError, match="undecided = 'merged': equation 'local' has one answer"):
        mb.liouvillian(model, given, "local", undecided="merged")
    problem = Problem([model, model], ONE)
    for name in ("universal-lindblad", "local"):
        generator = EQUATIONS[name].generator(problem)
        with pytest.raises(ValueError, match="rows are of one sample, the stack has 2"):
            EQUATIONS[name].rows(generator)
        for bad in (slice(0, 4, 2), slice(2, 2)):
            with pytest.raises(ValueError, match="a contiguous, non-empty range"):
                generator.kernel(bad)
    with pytest.raises(InputError, match="nothing is dropped of the universal Lindblad"):
        universal_lindblad_of(Problem([model], ONE)).rows(drop_tolerance=1e-3)
    bare = Problem.of_spectrum(Problem([model], ONE).spectrum, ONE)
    with pytest.raises(InputError, match="made from the models, this problem has none"):
        local_of(bare)
    many = Problem.of_spectrum(problem_of("diagonals", False).spectrum, ONE)
    with pytest.raises(InputError, match="made from the couplings of the models"):
        universal_lindblad_of(many)
    monkeypatch.setattr(secular, "MAX_BYTES", 1000)
    sentence = r"keeps 160 elements of a system of 4 states, 2.98e-06 GiB, allowed are .* GiB"
    with pytest.raises(InputError, match=sentence):
        build_partial_secular(Problem([model], ONE, True), 1000.0)


def test_costs_are_counted():
    """Entries of a cutoff before they are there, within a factor of three; products of L_j."""
    for model in (mb.dirac_syk2(24, seed=1), mb.anderson3d(3, 3.0, seed=1)):
        facts = SystemFacts(model.dimension, model.is_real, False)
        for name in ("partial-secular", "partial-secular-0.1", "partial-secular-0.5"):
            generator = EQUATIONS[name].generator(Problem([model], mb.OhmicBath(0.2, 10.0, 5.0)))
            (matrix,) = generator.dissipators
            taken = matrix.data.nbytes + matrix.indices.nbytes
            expected = EQUATIONS[name].own_bytes(facts)
            assert taken / 3.0 < expected < 4.0 * taken + 1e5, name
    facts = SystemFacts(20, False, False)
    assert EQUATIONS["universal-lindblad"].operations(facts) == (16.0 * 20 + 8.0) * 20.0**3
    generator = EQUATIONS["universal-lindblad"].generator(
        Problem([mb.dirac_syk2(20, seed=1)], ONE)
    )
    kernel = generator.kernel()
    taken = generator.jumps.nbytes + kernel._jumped.nbytes
    assert EQUATIONS["universal-lindblad"].own_bytes(facts) == taken
    sparse = mb.xxz_chain(6, seed=1)
    facts = SystemFacts(sparse.dimension, True, False, sparse.basis, sparse.lattice)
    local = EQUATIONS["local"]
    rows = local.rows(local.generator(Problem([sparse], ONE)))
    mean = rows.matrix.nnz / rows.matrix.shape[0]
    assert 0.5 * mean < local.row_entries(facts) < 2.5 * mean


@EVERY
@BOTH
@pytest.mark.parametrize("name", STEPPED)
def test_an_equation_is_the_sum_of_its_dissipators(kind, name, lamb_shift, rng):
    """And every one is that of its bath alone; the cutoff is that of all couplings."""
    model, given = CASES[kind]
    if EQUATIONS[name].applies(model):
        return
    problem = problem_of(kind, lamb_shift)
    state = oracles.random_hermitian(rng, model.dimension).astype(complex)
    each = list(dissipators(problem, state, name))
    hamiltonian = model.dense_hamiltonian()
    unitary = -1j * (hamiltonian @ state - state @ hamiltonian)
    image = mb.liouvillian(model, given, name, lamb_shift).toarray() @ state.ravel()
    np.testing.assert_allclose((unitary + sum(each)).ravel(), image, atol=1e-11)
    silent = mb.OhmicBath(0.0, 10.0, 1.0)
    if name == "partial-secular" or (name, kind) == ("partial-secular-0.4", "complex"):
        # Another cutoff, and with a Lamb shift η(0)A_j², of which the sum is a number.
        return
    alone = [baths_of(model, given)[0], *[silent] * (model.couplings.n_baths - 1)]
    image = mb.liouvillian(model, alone, name, lamb_shift).toarray() @ state.ravel()
    np.testing.assert_allclose((unitary + each[0]).ravel(), image, atol=1e-11)
    rho = state @ state.conj().T
    heat = mb.heat_currents(model, given, rho / np.trace(rho), name, lamb_shift)
    assert heat.shape == (model.couplings.n_baths,) and np.abs(heat).max() > 1e-4


def test_the_default_cutoff_is_of_the_physics_alone():
    """A number added to the A_j, and the Lamb shift, change neither rates nor cutoff."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(6, 6))
    matrix = (matrix + matrix.T) / 4.0
    bath = mb.OhmicBath(0.5, 10.0, 0.5)
    models = [
        mb.SingleParticleModel(matrix),
        mb.ManyBodyModel(matrix, np.eye(6)),
        mb.ManyBodyModel(matrix, np.eye(6) + 3.0),
    ]
    cutoffs = [
        secular.partial_secular_of(Problem([model], bath, lamb_shift), None).cutoffs[0]
        for model in models
        for lamb_shift in (False, True)
    ]
    np.testing.assert_allclose(cutoffs, cutoffs[0], rtol=1e-12)
    matrices = [mb.liouvillian(model, bath, "partial-secular").toarray() for model in models]
    for other in matrices[1:]:
        np.testing.assert_allclose(other, matrices[0], atol=1e-12)
