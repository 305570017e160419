"""Where many particles pass from one part to another: selections, scales, columns, samples."""

import json
from dataclasses import replace

import numpy as np
import oracles
import pytest
import scipy.sparse as sp

import manybody as mb
from manybody import cli
from manybody.physics.commutant import untouched_levels
from manybody.physics.couplings import DiagonalCouplings
from manybody.physics.equations.redfield import layout_of, redfield_of
from manybody.physics.equations.sparse_rows import assemble_sparse_rows
from manybody.physics.models.many_body import ManyBodyModel
from manybody.physics.problem import Problem
from manybody.solve import stacked
from manybody.solve.room import Baths, Extent
from manybody.study.migrations import hash_in, identity_in
from manybody.study.parsing import parse_study
from manybody.study.store import Store

BATH = mb.OhmicBath(0.2, 10.0, 5.0)


def applied(kernel, rho):
    out = np.empty_like(rho)
    kernel(rho, out)
    return out


def test_generators_of_a_selection_have_the_hamiltonians_of_their_samples(rng):
    """H is applied as CSR of its own sample, whichever of the stack is chosen."""
    models = [mb.xxz_chain(8, seed=seed) for seed in range(3)]
    problem = Problem(models, BATH)
    generator = redfield_of(problem)
    assert generator.sparse is not None
    rho = rng.normal(size=(1, 70, 70)) + 1j * rng.normal(size=(1, 70, 70))
    for index, model in enumerate(models):
        alone = applied(redfield_of(Problem([model], BATH)).kernel(), rho)
        for chosen in (generator.select(np.array([index])), redfield_of(problem.sample(index))):
            np.testing.assert_array_equal(applied(chosen.kernel(), rho), alone)


@pytest.mark.parametrize("kind", ["matrices", "small tables", "large tables", "one particle"])
def test_kernels_are_scaled_again_and_again(rng, kind):
    """Factors multiply; the kernel that is scaled stays as it is."""
    models = {
        "matrices": lambda seed: ManyBodyModel(
            oracles.random_hermitian(np.random.default_rng(seed), 5), list(operators)
        ),
        "small tables": lambda seed: mb.complex_syk4(4, seed=seed),
        "large tables": lambda seed: mb.xxz_chain(8, seed=seed),
        "one particle": lambda seed: mb.dirac_syk2(5, seed=seed),
    }[kind]
    operators = np.stack([oracles.random_hermitian(rng, 5) for _ in range(2)])
    problem = Problem([models(seed) for seed in range(2)], BATH)
    shape = (2, problem.dimension, problem.dimension)
    rho = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    kernel = redfield_of(problem).kernel()
    plain = applied(kernel, rho)
    first, second = np.array([0.5, -2.0]), np.array([3.0, 0.25])
    twice = applied(kernel.scaled(first).scaled(second), rho)
    np.testing.assert_allclose(twice, (first * second)[:, None, None] * plain, rtol=1e-12)
    np.testing.assert_array_equal(applied(kernel, rho), plain)


def test_layouts_know_their_kind_of_numbers():
    couplings = DiagonalCouplings(np.array([[0.5, -0.5, 0.5], [-0.5, 0.25, 0.5]]))
    for _ in range(2):
        for kind in (np.float64, np.complex128):
            assert layout_of(couplings, kind).dtype == kind


@pytest.mark.parametrize("lamb_shift", [False, True])
def test_local_figures_do_not_depend_on_the_layout(lamb_shift, monkeypatch):
    """Of complex H, where ρ and its transpose have other energies."""
    model, times = mb.complex_syk4(4, seed=5), [0.0, 1.0, 5.0]
    in_stack = mb.compare(model, BATH, times, lamb_shift=lamb_shift)
    monkeypatch.setattr(stacked, "_LARGE_ABOVE", 0)
    spread = mb.compare(model, BATH, times, lamb_shift=lamb_shift)
    for name, own in in_stack.local.of_equation.items():
        for figure, values in own.items():
            found = spread.local.of_equation[name][figure]
            np.testing.assert_allclose(found, values, rtol=0, atol=1e-9, err_msg=figure)
    for figure, values in in_stack.local.of_pair["redfield", "davies"].items():
        found = spread.local.of_pair["redfield", "davies"][figure]
        np.testing.assert_allclose(found, values, rtol=0, atol=1e-9, err_msg=figure)


def test_the_bound_on_what_is_dropped_is_reached():
    """Two states, A = σᶻ/2: δL[|1⟩⟨1|] has the trace norm 4‖A‖‖δΛ‖."""
    hamiltonian = sp.csr_array(np.diag([0.0, 1.0]))
    values, small = np.array([[0.5, -0.5]]), 1e-3
    filtered = [sp.csr_array(np.array([[1.0, small], [small, -1.0]]))]
    whole = assemble_sparse_rows(hamiltonian, values, filtered).matrix
    few = assemble_sparse_rows(hamiltonian, values, filtered, drop_tolerance=0.1)
    image = ((whole - few.matrix) @ np.array([0.0, 0.0, 0.0, 1.0])).reshape(2, 2)
    norm = np.linalg.norm(image, "nuc")
    assert norm == pytest.approx(2.0 * small)
    assert norm <= 2.0 * few.dropped_local * (1.0 + 1e-12)
    assert 2.0 * few.dropped_local == pytest.approx(norm)


def test_what_couplings_leave_alone_is_seen_through_rounding(rng):
    """A random basis of degenerate levels that no jump leaves, or one of the two."""
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    hamiltonian = (turn * [0.0, 0.0, 1.0, 1.0]) @ turn.T
    kept = (turn * [1.0, -2.0, 0.5, 3.0]) @ turn.T
    moved = turn[:, [0]] @ turn[:, [2]].T
    levels = [np.array([0, 1]), np.array([2, 3])]
    for coupling, expected in ((kept, 4), (moved + moved.T, 2)):
        model = ManyBodyModel(hamiltonian, [0.5 * (coupling + coupling.T)])
        spectrum = Problem([model], BATH).spectrum
        assert untouched_levels(spectrum, levels, None) == expected


def test_tables_count_beside_what_is_observed():
    """Also where many output times need more than making the tables does."""
    plan = {"lamb_shift": False, "stepper": "chebyshev", "operator": "matrix-free"}
    tables = 64 * 924**2 * 8
    without, with_tables = (
        Extent(924, 200, True, **plan, baths=Baths(12, own)) for own in (0, tables)
    )
    assert with_tables.node_bytes(1, 1) - without.node_bytes(1, 1) == tables


STUDY = """
name = "seams"
seed = 4
samples = 3
times = [0.0, 1.0]
block_size = 3
observables = ["trace_distance", "level_statistics"]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "xxz_chain"
n_sites = 4
[outputs]
formats = ["csv"]
"""


def test_samples_of_a_block_have_figures_of_their_own(tmp_path):
    """A stack is measured sample by sample."""
    file, folder = tmp_path / "study.toml", tmp_path / "store"
    file.write_text(STUDY)
    assert cli.main(["run", str(file), "--out", str(folder), "--quiet"]) == 0
    store = Store(folder)
    (system,) = store.study.systems
    (point,) = system.points
    (block,) = store.read(store.study, point)[0]
    wanted = [mb.level_statistics(point.build(4, sample)).mean_ratio for sample in block.samples]
    assert len(set(wanted)) == 3
    np.testing.assert_array_equal(block.arrays["spacing_ratio"], wanted)


def test_the_second_format_did_not_know_named_states():
    """Its identity has every key but that one, and no other study the same."""
    study = parse_study(STUDY, "text")
    identity = identity_in(study, 2)
    later = {"initial_state": None, "expectations": []}
    assert {**identity, **later} == study.identity() != identity
    named = replace(study, initial_state="neel")
    assert identity_in(named, 2)["initial_state"] == "neel"
    assert len({hash_in(study, each) for each in (2, 3, 4)}) == 3
    assert hash_in(study, 4) == study.hash()
    assert json.loads(json.dumps(identity_in(study, 4))) == study.identity()


def test_an_offset_of_the_hamiltonian_costs_no_digits():
    """A sparse H is applied from the middle of its band: 1e6 would leave 1e-10 of a distance."""
    model, times = mb.xxz_chain(8, seed=1), [0.0, 2.0, 8.0]
    shifted = mb.ManyBodyModel(
        model.hamiltonian + 1e6 * sp.identity(70, format="csr"), model.couplings, model.basis
    )
    assert sp.issparse(shifted.hamiltonian)
    plain, other = (mb.compare(each, BATH, times).trace_distance for each in (model, shifted))
    np.testing.assert_allclose(other, plain, rtol=0, atol=1e-11)
