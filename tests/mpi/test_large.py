"""One sample on the ranks that share it: run serially and under mpirun on 1, 2 and 3 ranks."""

import warnings

import numpy as np
import oracles
import pytest
from scipy.linalg import expm

import manybody as mb
from manybody.numerics.columns import Columns, split_evenly
from manybody.numerics.dense import KernelOperator
from manybody.numerics.steppers import find_stepper
from manybody.parallel.collective import on_every_rank
from manybody.parallel.node_memory import NodeMemory
from manybody.physics import reference
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import build_spectrum
from manybody.solve.comparison import check_setting
from manybody.solve.monitor import observers
from manybody.solve.spread import compare_large

MPI = pytest.importorskip("mpi4py.MPI", reason="mpi4py not installed")

TIMES = [0.0, 0.7, 3.0, 11.0]


def needs_petsc(name):
    if name == "assembled" or name not in mb.OPERATORS and find_stepper(name).library:
        pytest.importorskip("slepc4py", reason="slepc4py not installed")


def draw(kind):
    """(model, whether its Bohr frequencies are simple): sizes that 2 and 3 ranks do not divide."""
    rng = np.random.default_rng(11)
    return {
        "complex": lambda: mb.dirac_syk2(7, seed=1),
        "real": lambda: mb.SingleParticleModel(oracles.random_hermitian(rng, 5, real=True)),
        "cube": lambda: mb.anderson3d(3, 5.0, seed=2),
        "bipartite": lambda: mb.SingleParticleModel(oracles.bipartite_hamiltonian(rng, 6)),
        "ring": lambda: mb.SingleParticleModel(oracles.ring_hamiltonian(7)),
        "partial": lambda: mb.SingleParticleModel(oracles.random_hermitian(rng, 7), [1, 5]),
        "two sites": lambda: mb.dirac_syk2(2, seed=4),
        "larger": lambda: mb.dirac_syk2(40, seed=4),
    }[kind]()


def assert_same(shared, alone, comm, atol=1e-12):
    np.testing.assert_allclose(shared.trace_distance, alone.trace_distance, atol=atol)
    np.testing.assert_allclose(shared.smallest_eigenvalue, alone.smallest_eigenvalue, atol=atol)
    ours, theirs = shared.certificate.as_dict(), alone.certificate.as_dict()
    for name in ("clustering", "merged_neighbours", "expected_by_chance", "cluster_width"):
        assert ours[name] == theirs[name]
    for name in (
        "redfield_gibbs_residual",
        "davies_gibbs_residual",
        "smallest_eigenvalue",
        "trace_error",
        "hermiticity_error",
        "secular_ambiguity",
    ):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-12)
    if comm.rank == 0 and alone.redfield_states is not None:
        np.testing.assert_allclose(shared.redfield_states, alone.redfield_states, atol=atol)
        np.testing.assert_allclose(shared.davies_states, alone.davies_states, atol=atol)
    else:
        assert shared.redfield_states is None and shared.davies_states is None


@pytest.mark.parametrize("operator", mb.OPERATORS)
@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize(
    "kind", ["complex", "real", "cube", "bipartite", "ring", "partial", "two sites", "larger"]
)
def test_shared_and_alone(comm, bath, kind, lamb_shift, operator):
    needs_petsc(operator)
    model = draw(kind)
    arguments = {"initial_site": 1, "lamb_shift": lamb_shift, "keep_states": True}
    alone = mb.compare(model, bath, TIMES, **arguments)
    shared = mb.compare(model, bath, TIMES, **arguments, comm=comm, operator=operator)
    assert_same(shared, alone, comm)
    assert shared.certificate.stepper_error == pytest.approx(
        alone.certificate.stepper_error, rel=1e-6
    )
    assert shared.certificate.applications == alone.certificate.applications


@pytest.mark.parametrize("operator", mb.OPERATORS)
@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
def test_undecided_frequencies_on_several_ranks(comm, bath, lamb_shift, operator):
    """What is not known well is open on every rank, with the same two answers."""
    needs_petsc(operator)
    ring = oracles.ring_hamiltonian(5) * np.exp(0.1j * np.subtract.outer(range(5), range(5)))
    ring[1, 1] = 3e-3
    model = mb.SingleParticleModel(ring, [0, 1, 3], uncertainty=2e-3)
    arguments = {"initial_site": 1, "lamb_shift": lamb_shift, "keep_states": True}
    with pytest.warns(UserWarning, match="cannot be decided"):
        alone = mb.compare(model, bath, TIMES, **arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shared = mb.compare(model, bath, TIMES, **arguments, comm=comm, operator=operator)
    assert len(caught) == (comm.rank == 0)
    assert_same(shared, alone, comm)
    merged = shared.trace_distance_merged
    np.testing.assert_allclose(merged, alone.trace_distance_merged, atol=1e-12)
    assert np.abs(merged - shared.trace_distance).max() > 1e-3


@pytest.mark.parametrize("operator", mb.OPERATORS)
@pytest.mark.parametrize(
    "stepper", [name for name in mb.STEPPERS if not find_stepper(name).one_rank]
)
def test_every_stepper_over_both_operators(comm, bath, stepper, operator):
    needs_petsc(operator)
    needs_petsc(stepper)
    model = mb.dirac_syk2(5, seed=1)
    expected = mb.compare(model, bath, [0.0, 3.0, 5.0], lamb_shift=True).trace_distance
    run = mb.compare(
        model,
        bath,
        [0.0, 3.0, 5.0],
        lamb_shift=True,
        stepper=stepper,
        comm=comm,
        operator=operator,
    )
    np.testing.assert_allclose(run.trace_distance, expected, atol=1e-8)
    assert run.certificate.hermiticity_error < 1e-12


@pytest.mark.parametrize("sites", [None, [1, 2]], ids=["full", "partial"])
@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("n", [3, 7, 26])
def test_the_operator_is_the_definition_on_any_data(comm, bath, n, sites, real, lamb_shift):
    """The complex-linear map on matrices that are not Hermitian, the other on one that is."""
    if comm.size > n:
        pytest.skip(f"{comm.size} ranks share {n} columns")
    rng = np.random.default_rng(n)
    matrix = oracles.random_hermitian(rng, n, real=real)
    generator = build_redfield(
        build_spectrum([mb.SingleParticleModel(matrix, sites)]), bath, lamb_shift
    )
    if n < 20:
        couplings = reference.site_couplings(n, sites)
        slow = reference.redfield_liouvillian(matrix, couplings, bath, lamb_shift)
    else:
        slow = mb.redfield_liouvillian(
            mb.SingleParticleModel(matrix, sites), bath, lamb_shift
        ).toarray()
    sigma = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    plus = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    columns = Columns(n, comm)
    for linearity, data in (("complex", sigma), ("hermitian", sigma + sigma.conj().T)):
        operator = KernelOperator(
            generator.kernel(columns.own), generator.spectral_box, columns, linearity
        )
        x, more = (np.ascontiguousarray(a[None, :, columns.own]) for a in (data, plus))
        out = np.full_like(x, np.nan)
        operator.scaled(np.array([-0.5])).apply(x, out, plus=more)
        expected = -0.5 * (slow @ data.ravel()).reshape(n, n) + plus
        np.testing.assert_allclose(out[0], expected[:, columns.own], atol=1e-12)


@pytest.mark.parametrize("n", [1, 4, 7])
def test_columns_go_out_and_come_back(comm, n):
    columns = Columns(n, comm)
    widths = [piece.stop - piece.start for piece in columns.ranges]
    assert sum(widths) == n and max(widths) - min(widths) <= 1
    rng = np.random.default_rng(n)
    whole = rng.normal(size=(3, n, n)) + 1j * rng.normal(size=(3, n, n))
    block = np.ascontiguousarray(whole[0, :, columns.own])[None]
    turned = np.full_like(block, np.nan)
    for rows, piece in columns.adjoint_pieces(block, np.empty_like(block)):
        turned[:, rows] = np.swapaxes(piece, 1, 2).conj()
    np.testing.assert_array_equal(turned[0], whole[0].conj().T[:, columns.own])
    for count in range(1, min(3, comm.size) + 1):
        found = columns.collect([whole[k][:, columns.own] for k in range(count)])
        if comm.rank < count:
            np.testing.assert_array_equal(found, whole[comm.rank].T)
        else:
            assert found is None
    values = np.full(2, 0.1 + comm.rank)
    assert columns.total(values)[0] == pytest.approx(
        0.1 * comm.size + comm.size * (comm.size - 1) / 2
    )
    assert columns.largest(values)[1] == 0.1 + (comm.size - 1)


def test_even_shares():
    assert split_evenly(7, 3) == [slice(0, 3), slice(3, 5), slice(5, 7)]
    assert split_evenly(2, 3) == [slice(0, 1), slice(1, 2), slice(2, 2)]


@pytest.mark.parametrize("windows", [True, False], ids=["windows", "none"])
def test_arrays_of_rank_0(comm, caplog, monkeypatch, windows):
    """Once a node, or where that fails a copy each, and a sentence."""
    if not windows:

        def fail(*_arguments, **_keywords):
            raise MPI.Exception(MPI.ERR_NO_MEM)

        monkeypatch.setattr("mpi4py.MPI.Win", type("Win", (), {"Allocate_shared": fail}))
    first = np.arange(6.0).reshape(2, 3)
    with NodeMemory(comm) as memory:
        for array in (first, 1j * first, np.empty((0, 4))):
            found = memory.share(array if comm.rank == 0 else None)
            np.testing.assert_array_equal(found, array)
            assert found.shape == array.shape and found.dtype == array.dtype
            if comm.size > 1:
                assert not found.flags.writeable
                assert found.size == 0 or found.ctypes.data % 64 == 0
        del found
    said = not windows and comm.size > 1 and comm.rank == 0
    assert caplog.text.count("no shared-memory windows") == said


def test_the_answer_needs_no_windows(comm, bath, monkeypatch):
    model = mb.dirac_syk2(6, seed=3)
    alone = mb.compare(model, bath, TIMES)
    monkeypatch.setattr(NodeMemory, "_allocate", lambda *_: None)
    assert_same(mb.compare(model, bath, TIMES, comm=comm), alone, comm)


def test_only_rank_0_needs_the_model(comm, bath):
    model = mb.dirac_syk2(6, seed=3)
    setting = check_setting([], bath, TIMES, 0, False, "chebyshev", 1e-10, "", "matrix-free", 0.0)
    said = []
    shared = compare_large(model if comm.rank == 0 else None, setting, comm, tell=said.append)
    assert_same(shared, mb.compare(model, bath, TIMES), comm)
    assert said[-1] == "t = 11 of 11"
    with pytest.raises(ValueError, match="rank 0 needs the model"):
        compare_large(None, setting, comm)


def test_dropped_entries_are_accounted_for(comm, bath):
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    model = mb.anderson3d(3, 5.0, seed=2)
    exact = mb.compare(model, bath, TIMES)
    before = 0.0
    for tolerance in (1e-4, 1e-2):
        run = mb.compare(
            model, bath, TIMES, comm=comm, operator="assembled", drop_tolerance=tolerance
        )
        error = np.abs(run.trace_distance - exact.trace_distance).max()
        assert 1e-12 < error < run.certificate.drop_error
        assert before < run.certificate.drop_error
        assert 0.0 < run.certificate.entries_kept < 1.0
        assert run.certificate.trace_error < 1e-13
        before = run.certificate.drop_error
    assert exact.certificate.entries_kept == 1.0 and exact.certificate.drop_error == 0.0


def test_bad_input_is_refused_on_every_rank(comm, bath):
    model = mb.dirac_syk2(4, seed=1)
    for wrong, words in (
        ({"operator": "dense"}, "operator = 'dense'"),
        ({"drop_tolerance": 0.1}, "has no entries to drop"),
        ({"drop_tolerance": -1.0, "operator": "assembled"}, "drop_tolerance = -1"),
    ):
        with pytest.raises(ValueError, match=words):
            mb.compare(model, bath, [1.0], comm=comm, **wrong)
    if comm.size > 1:
        with pytest.raises(ValueError, match="'dop853': runs on one rank"):
            mb.compare(model, bath, [1.0], stepper="dop853", comm=comm)


def test_a_failure_on_one_rank_is_raised_on_all(comm, bath, monkeypatch):
    def fail():
        if comm.rank == comm.size - 1:
            raise MemoryError(f"rank {comm.rank}")

    with pytest.raises(MemoryError, match=f"rank {comm.size - 1}"):
        on_every_rank(comm, fail)

    def break_down(*_arguments, **_keywords):
        raise RuntimeError(f"no eigenvalues on rank {comm.rank}")

    monkeypatch.setattr("manybody.solve.monitor.norms.trace_norm", break_down)
    with pytest.raises(RuntimeError, match="no eigenvalues on rank"):
        compare_large(
            mb.dirac_syk2(6, seed=3),
            check_setting([], bath, TIMES, 0, False, "chebyshev", 1e-10, "", "matrix-free", 0.0),
            comm,
        )


@pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
@pytest.mark.parametrize("kind", ["complex", "real", "partial", "bipartite"])
def test_eigenvalues_spread_out_are_the_same(comm, bath, monkeypatch, kind, lamb_shift):
    """Where no rank can hold a state; Bohr blocks are known as a whole only."""
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    model = draw(kind)
    alone = mb.compare(model, bath, TIMES, initial_site=1, lamb_shift=lamb_shift)
    monkeypatch.setattr("manybody.solve.monitor.observers", lambda *_: 0)
    setting = check_setting(
        [], bath, TIMES, 1, lamb_shift, "chebyshev", 1e-10, "", "matrix-free", 0.0
    )
    assert_same(compare_large(model, setting, comm), alone, comm)


def test_how_many_ranks_observe():
    each = 3 * 16.0 * 1000**2
    assert observers(1000, 8, 0.9 * each, 3.0) == 0
    assert observers(1000, 8, 2 * each, 3.0) == 2
    assert observers(1000, 8, 20 * each, 3.0) == 5
    assert observers(1000, 8, 1e12, 3.0) == 8
    assert observers(1000, 1, 2 * each, 3.0) == 1


def test_ranks_must_be_given_the_same(comm, bath):
    if comm.size == 1:
        pytest.skip("one rank agrees with itself")
    for what, model, times in (
        ("model", mb.dirac_syk2(6, seed=comm.rank), TIMES),
        ("times", mb.dirac_syk2(6, seed=1), [1.0 + comm.rank]),
    ):
        with pytest.raises(ValueError, match=f"{what}: rank 1 was given another"):
            mb.compare(model, bath, times, comm=comm)
    wrong = [0.0, -1.0] if comm.rank == 1 else TIMES
    with pytest.raises(ValueError, match="times"):
        mb.compare(mb.dirac_syk2(6, seed=1), bath, wrong, comm=comm)


def test_what_all_ranks_refuse_leaves_nothing_behind(comm, bath, monkeypatch):
    """Windows and communicators are freed when an error is everybody's, and only then."""
    model, freed = mb.dirac_syk2(6, seed=3), []
    leave = NodeMemory.__exit__

    def watched(self, *reason):
        before = len(self._windows)
        leave(self, *reason)
        freed.append(before > 0 and not self._windows)

    monkeypatch.setattr(NodeMemory, "__exit__", watched)
    with pytest.raises(ValueError, match="allowed are 1e"):
        mb.compare(model, bath, [0.0, 1e12], comm=comm)
    assert freed in ([], [comm.size > 1])
    pytest.importorskip("slepc4py", reason="slepc4py not installed")
    with pytest.raises(RuntimeError, match="reason"):
        mb.compare(
            mb.dirac_syk2(16, seed=5),
            bath,
            [40.0],
            stepper="mfn-krylov",
            petsc_options="-redfield_mfn_max_it 1",
            comm=comm,
        )
    assert all(freed) == (comm.size > 1) or not freed
    assert_same(mb.compare(model, bath, TIMES, comm=comm), mb.compare(model, bath, TIMES), comm)


@pytest.mark.parametrize("times", [[0.0, 1.0], np.linspace(0.0, 40.0, 23)])
def test_bohr_blocks_take_one_recursion(comm, bath, monkeypatch, times):
    """However many output times and segments there are."""
    from manybody.physics.equations import davies

    calls = []
    real = davies.evolve
    monkeypatch.setattr(davies, "evolve", lambda *a: calls.append(1) or real(*a))
    model = mb.SingleParticleModel(oracles.ring_hamiltonian(7))
    setting = check_setting(
        [],
        mb.OhmicBath(1.0, 10.0, 1.0),
        times,
        0,
        True,
        "chebyshev",
        1e-10,
        "",
        "matrix-free",
        0.0,
    )
    shared = compare_large(model, setting, comm)
    assert len(calls) <= 1
    monkeypatch.undo()
    alone = mb.compare(model, setting.bath, times, lamb_shift=True)
    np.testing.assert_allclose(shared.trace_distance, alone.trace_distance, atol=1e-11)


@pytest.mark.parametrize("kind", ["complex", "bipartite"])
@pytest.mark.parametrize("operator", ["matrix-free", "assembled"])
def test_thermal_starts(comm, bath, kind, operator):
    """From a Gibbs state of another temperature, on all ranks and in a stack, by definition."""
    if operator == "assembled":
        pytest.importorskip("petsc4py", reason="petsc4py not installed")
    draw = {"complex": oracles.random_hermitian, "bipartite": oracles.bipartite_hamiltonian}
    matrix = draw[kind](np.random.default_rng(6), 6)
    couplings = reference.site_couplings(6, None)
    slow = [
        reference.redfield_liouvillian(matrix, couplings, bath, True),
        reference.davies_liouvillian(matrix, couplings, bath, True, 1e-9),
    ]
    gibbs = expm(-0.7 * matrix)
    start = (gibbs / np.trace(gibbs)).ravel()
    model, times = mb.SingleParticleModel(matrix), [0.0, 3.0, 15.0]
    run = mb.compare(
        model, bath, times, lamb_shift=True, operator=operator, comm=comm, initial_beta=0.7
    )
    alone = mb.compare_ensemble([model], bath, times, lamb_shift=True, initial_beta=0.7)[0]
    for index, time in enumerate(times):
        redfield, davies = ((expm(one * time) @ start).reshape(6, 6) for one in slow)
        expected = np.abs(np.linalg.eigvalsh(davies - redfield)).sum()
        assert run.trace_distance[index] == pytest.approx(expected, abs=1e-11)
        assert alone.trace_distance[index] == pytest.approx(expected, abs=1e-11)
    mixed = mb.compare(model, bath, [2.0], initial_beta=0.0, keep_states=True, comm=comm)
    if comm.rank == 0:
        flat = np.eye(6).ravel() / 6.0
        slow[0] = reference.redfield_liouvillian(matrix, couplings, bath, False)
        exact = (expm(slow[0] * 2.0) @ flat).reshape(6, 6)
        np.testing.assert_allclose(mixed.redfield_states[0], exact, atol=1e-11)
    with pytest.raises(ValueError, match="initial_beta = -1"):
        mb.compare(model, bath, times, initial_beta=-1.0, comm=comm)
