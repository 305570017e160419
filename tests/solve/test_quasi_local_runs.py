"""Quasi-local Redfield in comparisons and studies: beside others, and without any spectrum."""

import dataclasses
import itertools
import pickle

import numpy as np
import pytest
from quasi_local_cases import Grid, Line, from_terms, slow_action, slow_filter, xxz
from scipy.linalg import expm

import manybody as mb
from manybody import cli
from manybody.errors import InputError
from manybody.physics import spectra
from manybody.physics.equations import quasi_local as kernels
from manybody.physics.equations.patches import mean_fill
from manybody.physics.equations.protocol import SystemFacts
from manybody.physics.equations.registry import EQUATIONS
from manybody.physics.fock.basis import FockBasis
from manybody.physics.patterns import pattern_state
from manybody.physics.problem import Problem
from manybody.solve.comparison import check_setting, model_digest
from manybody.solve.room import Extent
from manybody.solve.spread import compare_large
from manybody.study import cost
from manybody.study.parsing import parse_study
from manybody.study.samples import compute_large, compute_stack
from manybody.study.store import Store

TIMES = [0.0, 0.7, 3.0, 9.0]
BOTH = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
LOCAL = ("quasi-local-1", "quasi-local-2")


def setting_of(bath, names, lamb_shift=False, start=None, models=()):
    return check_setting(
        models,
        bath,
        TIMES,
        0,
        lamb_shift,
        "chebyshev",
        1e-10,
        "",
        "matrix-free",
        0.0,
        None,
        names,
        start,
    )


def assert_same(left, right, atol):
    assert left.equations == right.equations
    for name in ("distance", "smallest_eigenvalues"):
        mine, theirs = getattr(left, name), getattr(right, name)
        assert mine.keys() == theirs.keys()
        for key in mine:
            np.testing.assert_allclose(mine[key], theirs[key], atol=atol, err_msg=str(key))
    for pair, figures in left.local.of_pair.items():
        for key, value in figures.items():
            np.testing.assert_allclose(value, right.local.of_pair[pair][key], atol=atol)


@pytest.fixture
def undiagonalised(monkeypatch):
    """No H may meet a diagonalisation; sizes of all matrices that do are kept."""
    sizes = []

    def refused(_hamiltonian):
        raise AssertionError("H was diagonalised")

    def counted(solve):
        def called(matrix, *more, **named):
            sizes.append(np.shape(matrix)[-1])
            return solve(matrix, *more, **named)

        return called

    monkeypatch.setattr(spectra, "_diagonalise", refused)
    monkeypatch.setattr(np.linalg, "eigh", counted(np.linalg.eigh))
    return sizes


@BOTH
@pytest.mark.parametrize("kind", ["open", "ring", "complex", "ladder"])
def test_states_are_those_of_the_definition(kind, lamb_shift, bath):
    """Stacked and spread, against the exponential of a matrix made element by element."""
    model = {
        "open": lambda: xxz(Line(4)),
        "ring": lambda: xxz(Line(5, "periodic"), n_particles=2),
        "complex": lambda: xxz(Line(4, "periodic"), phases=True),
        "ladder": lambda: xxz(Grid(2)),
    }[kind]()
    dimension = model.dimension
    run = mb.compare(
        model, bath, TIMES, equations=LOCAL, lamb_shift=lamb_shift, keep_states=True,
        initial_state=np.eye(dimension)[1],
    )  # fmt: skip
    for radius, name in ((1, LOCAL[0]), (2, LOCAL[1])):
        filtered = [
            slow_filter(model, site, radius, own, lambda w: bath.one_sided(w, lamb_shift))
            for site, own in enumerate(model.couplings.values)
        ]
        units = np.eye(dimension**2).reshape(-1, dimension, dimension)
        matrix = np.array([slow_action(model, filtered, own).ravel() for own in units]).T
        rho = np.zeros((dimension, dimension), dtype=complex)
        rho[1, 1] = 1.0
        expected = [(expm(t * matrix) @ rho.ravel()).reshape(rho.shape) for t in TIMES]
        np.testing.assert_allclose(run.states[name], expected, atol=1e-9)
    setting = setting_of(bath, LOCAL, lamb_shift, np.eye(dimension)[1], [model])
    assert_same(compare_large(model, setting), run, 1e-11)


@BOTH
def test_patches_of_all_sites_are_redfield(lamb_shift, bath):
    """And the way there falls with the radius, globally and locally."""
    names = ("redfield", "davies", *(f"quasi-local-{radius}" for radius in range(1, 6)))
    model = mb.xxz_chain(6, seed=2)
    run = mb.compare(model, bath, TIMES, equations=names, lamb_shift=lamb_shift)
    largest = [run.distance["redfield", name].max() for name in names[2:]]
    assert largest == sorted(largest, reverse=True) and largest[0] > 1e-2
    assert largest[-1] < 1e-8
    one_site = [
        run.local.of_pair["redfield", each]["one_site_largest"].max() for each in names[2:]
    ]
    assert one_site[-1] < 1e-8 < 1e-4 < one_site[0]
    # Of Davies all the same whoever is beside it.
    alone = mb.compare(model, bath, TIMES, lamb_shift=lamb_shift)
    np.testing.assert_allclose(run.trace_distance, alone.trace_distance, atol=1e-9)
    assert run.certificate.clustering == alone.certificate.clustering == "simple"
    assert run.certificate.kms_residual == alone.certificate.kms_residual
    residuals = run.certificate.gibbs_residuals
    assert residuals["quasi-local-1"] > residuals["quasi-local-3"] > 0.0
    if not lamb_shift:
        assert residuals["quasi-local-5"] < 1e-13


@pytest.mark.parametrize("names", [("redfield", "quasi-local-2", "davies"), LOCAL])
def test_a_stack_goes_sample_by_sample(names, bath):
    models = [mb.xxz_chain(4, seed=seed) for seed in range(3)]
    together = mb.compare_ensemble(models, bath, TIMES, equations=names)
    for model, run in zip(models, together):
        alone = mb.compare(model, bath, TIMES, equations=names)
        assert_same(run, alone, 0.0)


@pytest.mark.parametrize("large", [False, True], ids=["stacked", "spread"])
def test_nothing_is_diagonalised_where_nothing_needs_it(undiagonalised, large, bath):
    model = mb.xxz_chain(8, seed=1)
    setting = setting_of(bath, ("quasi-local-1", "quasi-local-2"), models=[model])
    if large:
        run = compare_large(model, setting)
    else:
        run = mb.compare(model, bath, TIMES, equations=LOCAL)
    # Patches of five sites and no more.
    assert undiagonalised and max(undiagonalised) <= 10
    certificate = run.certificate
    assert certificate.clustering == "unexamined" == spectra.VERDICTS[3]
    assert np.isnan(certificate.kms_residual) and np.isnan(certificate.smallest_separation)
    assert set(certificate.gibbs_residuals) == set(LOCAL)
    assert np.isnan(list(certificate.gibbs_residuals.values())).all()
    assert 0.0 < certificate.stepper_error < 1e-8 and certificate.applications > 0
    assert certificate.trace_error < 1e-12
    assert np.isfinite(run.trace_distance).all() and run.trace_distance[-1] > 1e-3
    for own in run.local.of_equation.values():
        np.testing.assert_allclose(own["density"].sum(axis=1), 4.0, atol=1e-9)
    with pytest.raises(AssertionError, match="diagonalised"):
        mb.compare(model, bath, TIMES, equations=("redfield", "quasi-local-2"))


def test_without_a_spectrum_the_states_are_the_same(bath):
    model = mb.xxz_chain(6, seed=3)
    without = mb.compare(model, bath, TIMES, equations=LOCAL)
    beside = mb.compare(model, bath, TIMES, equations=(*LOCAL, "redfield"))
    np.testing.assert_allclose(without.trace_distance, beside.trace_distance, atol=1e-9)


def test_no_states_are_diagonalised_by_a_problem(undiagonalised):
    models = [mb.xxz_chain(6, seed=seed) for seed in range(3)]
    problem = Problem(models, mb.OhmicBath(0.2, 10.0, 5.0))
    assert (problem.n_samples, problem.dimension) == (3, 20)
    assert problem.select(slice(1, 3)).models == tuple(models[1:])
    assert problem.sample(1) is problem.sample(1) and problem.sample(1).model is models[1]
    exact = [np.linalg.norm(model.dense_hamiltonian(), 2) for model in models]
    assert (problem.norms >= exact).all() and (problem.norms <= 4.0 * np.array(exact)).all()
    assert not undiagonalised


def test_starts_from_eigenvectors_are_refused(bath):
    model = mb.xxz_chain(6, seed=3)
    for start in ({"initial_beta": 2.0}, {"initial_state": "eigenstate-0"}):
        with pytest.raises(InputError, match="leave H undiagonalised") as caught:
            mb.compare(model, bath, TIMES, equations=LOCAL, **start)
        assert "quasi-local-1, quasi-local-2" in str(caught.value)
        run = mb.compare(model, bath, TIMES, equations=("redfield", "quasi-local-5"), **start)
        assert run.trace_distance.max() < 1e-8
    vector = np.full(20, 20**-0.5)
    for state in ("neel", "000111", vector, np.outer(vector, vector)):
        mb.compare(model, bath, [0.0, 0.1], equations=LOCAL, initial_state=state)
    spectrum = Problem([model], bath).spectrum
    setting = setting_of(bath, ("redfield", "davies"), start="eigenstate-3", models=[model])
    with pytest.raises(InputError, match="eigenvectors"):
        setting.start.in_basis(20, slice(0, 20))
    assert setting.start.columns(spectrum, slice(0, 20)).shape == (20, 20)


def test_models_without_patches_are_refused_by_name(undiagonalised, bath):
    model = mb.xxz_chain(4, seed=1)
    bare = mb.ManyBodyModel(model.hamiltonian, model.couplings, model.basis, name="mine")
    matrices = dataclasses.replace(model, couplings=[model.dense_hamiltonian()])
    cases = [
        (mb.dirac_syk2(4, seed=1), "'dirac_syk2': patches"),
        (mb.complex_syk4(4, seed=1), "'complex_syk4': model 'complex_syk4' has no lattice"),
        (bare, "'mine': model 'mine' has no lattice"),
        (matrices, "'xxz_chain': .*diagonal couplings"),
        (dataclasses.replace(model, terms=model.terms[1:]), "do not add up"),
    ]
    for other, words in cases:
        with pytest.raises(InputError, match=f"'quasi-local-2' does not apply to model.*{words}"):
            mb.compare(other, bath, TIMES, equations=("redfield", "quasi-local-2"))
        with pytest.raises(InputError, match=f"does not apply to model .*{words}"):
            mb.compare_ensemble([other], bath, TIMES, equations=LOCAL, initial_state=np.eye(
                other.dimension)[0])  # fmt: skip
        setting = setting_of(bath, LOCAL)
        with pytest.raises(InputError, match=words):
            compare_large(other, setting)
    assert not undiagonalised


@pytest.mark.parametrize(
    "model",
    [
        mb.xxz_chain(6, disorder=2.0, seed=1),
        mb.ising_chain(4, seed=2),
        mb.ManyBodyModel(np.diag([1.0, 2.0]), np.array([[0.0, 1.0]])),
        mb.complex_syk4(4, seed=3),
    ],
    ids=lambda model: model.name,
)
def test_models_of_many_particles_travel(model):
    there = pickle.loads(pickle.dumps(model))
    assert model_digest(there) == model_digest(model)
    assert there.parameters == model.parameters and there.basis == model.basis
    with pytest.raises(TypeError):
        there.parameters["n_sites"] = 3
    given = there.hamiltonian
    with pytest.raises(ValueError, match="read-only"):
        (given if isinstance(given, np.ndarray) else given.data)[...] = 0.0
    assert there.lattice == model.lattice
    for mine, theirs in itertools.zip_longest(model.terms or (), there.terms or ()):
        assert mine.sites == theirs.sites and (mine.matrix != theirs.matrix).nnz == 0


STUDY = """
name = "radii"
seed = 3
samples = 3
times = [0.0, 1.0, 3.0]
equations = ["redfield", "quasi-local-1", "quasi-local-2"]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "xxz_chain"
n_sites = [4, 6]
[outputs]
formats = ["csv", "html"]
"""
WITHOUT = STUDY.replace('"redfield", ', "")


@pytest.mark.parametrize("text", [STUDY, WITHOUT], ids=["beside Redfield", "alone"])
def test_radii_are_studied_and_reported(text, tmp_path, capsys):
    file, store = tmp_path / "study.toml", tmp_path / "store"
    file.write_text(text)
    assert cli.main(["run", str(file), "--out", str(store), "--quiet"]) == 0
    study = Store(store).study
    point = study.systems[0].points[1]
    (block,) = Store(store).read(study, point)[0]
    run = mb.compare(point.build(3, 1), study.bath, study.times, equations=study.equations)
    for index, pair in enumerate(itertools.combinations(study.equations, 2)):
        found = block.arrays["trace_distance_of_pairs"][1, index]
        np.testing.assert_array_equal(found, run.distance[pair])
    assert spectra.VERDICTS[block.arrays["clustering"][1]] == run.certificate.clustering
    assert (store / "report" / "index.html").exists()
    assert cli.main(["sample", str(store), "--size", "6", "--index", "2"]) == 0
    assert "the same bits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"xxz_chain"', '"complex_syk4"'), "'quasi-local-1' does not apply to .*'complex_syk4'"),
        (('"xxz_chain"', '"dirac_syk2"'), "'quasi-local-1' does not apply to model 'dirac_syk2'"),
        (
            ('"xxz_chain"\nn_sites = [4, 6]', '"anderson3d"\nlength = [2]\ndisorder = 3.0'),
            "'quasi-local-1' does not apply to model 'anderson3d'",
        ),
        (("samples = 3", "samples = 3\ninitial_beta = 2.0"), "leave H undiagonalised"),
        (("n_sites = [4, 6]", "n_sites = [4, 6]\ninitial_beta = 2.0"), "undiagonalised"),
        (("samples = 3", "samples = 3\ninitial_state = 'eigenstate-0'"), "undiagonalised"),
        (
            ("n_sites = [4, 6]", "n_sites = [4, 6]\ninitial_state = ['neel', 'eigenstate-5']"),
            "undiagonalised",
        ),
    ],
)
def test_studies_are_refused_when_read(change, words):
    with pytest.raises(InputError, match=words):
        parse_study(WITHOUT.replace(*change), "text")
    parse_study(WITHOUT, "text")
    fermions = ('"xxz_chain"\nn_sites = [4, 6]', '"anderson3d"\nlength = [2]\ndisorder = 3.0')
    parse_study(WITHOUT.replace(*fermions).replace("3.0\n[out", "3.0\nn_particles = 2\n[out"), "")


@pytest.mark.parametrize("text", [STUDY, WITHOUT], ids=["beside Redfield", "alone"])
def test_samples_of_a_study_start_alike_stacked_or_spread(text):
    """From the Néel pattern, which only the model knows."""
    study = parse_study(text, "text")
    point = study.systems[0].points[1]
    ((stacked, _),) = compute_stack(study, point, [2], lambda _: None)
    spread, _ = compute_large(study, point, 2)
    assert_same(spread, stacked, 1e-11)
    basis = point.build(3, 2).basis
    density = spread.local.of_equation["quasi-local-1"]["density"][0]
    occupied = basis.occupations[np.argmax(np.abs(pattern_state(basis, "neel")))]
    np.testing.assert_allclose(density, occupied, atol=1e-12)


def facts_of(model, lamb_shift=False):
    return SystemFacts(model.dimension, model.is_real, lamb_shift, model.basis, model.lattice)


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_costs_follow_what_is_stored(radius, bath):
    model = mb.xxz_chain(8, seed=1)
    generator = EQUATIONS[f"quasi-local-{radius}"].generator(Problem([model], bath))
    stored = sum(each.nnz for each in generator.filtered) / (8 * model.dimension)
    assert stored <= mean_fill(model.basis, model.lattice, radius) <= 1.3 * stored
    kernel = generator.kernel()
    arrays = {id(table.data): table.data.nbytes for group in kernel._groups
              for table, _ in group.tables}  # fmt: skip
    kept = sum(arrays.values()) + sum(each.data.nbytes * 1.5 for each in generator.filtered)
    own = EQUATIONS[f"quasi-local-{radius}"].own_bytes(facts_of(model))
    assert 0.6 * kept <= own <= 2.5 * kept
    rows = generator.rows().entries_kept / model.dimension**2
    expected = EQUATIONS[f"quasi-local-{radius}"].row_entries(facts_of(model))
    assert 0.6 * rows <= expected <= 1.5 * rows


def test_fill_counts_blocks_of_states(bath):
    for model, radius in (
        (from_terms(*_no_terms(FockBasis(6, "boson", 2, max_occupation=1))), 1),
        (from_terms(*_no_terms(FockBasis(6, "fermion", 3))), 2),
    ):
        distances, occupations = model.lattice.distances(), model.basis.occupations
        sizes = []
        for site in range(6):
            outside = occupations[:, distances[site] > radius]
            _, which, counts = np.unique(outside, axis=0, return_inverse=True, return_counts=True)
            sizes.append(counts[which.ravel()].mean())
        found = mean_fill(model.basis, model.lattice, radius)
        assert found == pytest.approx(np.mean(sizes), rel=1e-12)
    every = FockBasis(6, "boson", max_occupation=1)
    assert mean_fill(every, Line(6), 5) == 64.0


def _no_terms(basis):
    return basis, Line(basis.n_modes), []


def test_costs_know_the_size(bath):
    study = parse_study(WITHOUT, "text")
    both = parse_study(STUDY, "text")
    small, large = study.systems[0].points
    assert cost.application_flops(study, large) > cost.application_flops(study, small) > 0.0
    facts = cost.facts_of(study, large)
    operations = [EQUATIONS[f"quasi-local-{radius}"].operations(facts) for radius in (1, 2, 3)]
    assert operations == sorted(operations)
    assert EQUATIONS["redfield"].operations(facts) == 16.0 * large.dimension**3
    without, beside = (cost.extent_of(each, large) for each in (study, both))
    assert not without.has_spectrum and beside.has_spectrum
    assert without.own_bytes == beside.own_bytes > 0.0
    assert without.node_bytes(2, 2) < beside.node_bytes(2, 2)
    # XXZ, N = 14: a spectrum, rates and tables would take some hundred times what is left.
    plan = {"is_real": True, "lamb_shift": False, "stepper": "chebyshev", "operator": "assembled"}
    whole = Extent(3432, 3, **plan)
    thin = Extent(3432, 3, **plan, has_spectrum=False, row_share=0.01)
    assert thin.node_bytes(1, 1) < 0.05 * whole.node_bytes(1, 1)


def test_the_order_of_columns_does_not_matter(bath, monkeypatch):
    """Small panels and groups, as large systems have them."""
    model = mb.xxz_chain(6, seed=5)
    expected = mb.compare(model, bath, TIMES, equations=LOCAL)
    monkeypatch.setattr(kernels, "_PANEL", 3)
    monkeypatch.setattr(kernels, "_GROUP", 2)
    assert_same(mb.compare(model, bath, TIMES, equations=LOCAL), expected, 1e-12)
