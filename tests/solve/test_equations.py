"""Laws that every registered master equation declares, and equations added from outside."""

import csv
import itertools
import warnings

import numpy as np
import oracles
import pytest
import scipy.sparse as sp
from toy_equations import HALVED, KEEPS, UNITARY, halved, registered

import manybody as mb
from manybody import cli
from manybody.physics.equations import registry
from manybody.physics.equations.protocol import Equation
from manybody.physics.models.many_body import Term
from manybody.physics.problem import Problem
from manybody.physics.spectra import AMBIGUOUS
from manybody.solve.comparison import check_setting
from manybody.solve.evolution import build_agenda, joint_bounds
from manybody.solve.monitor import observer_matrices
from manybody.solve.room import Extent
from manybody.solve.spread import compare_large
from manybody.study import cost
from manybody.study.parsing import parse_study
from manybody.study.store import Store

TIMES = [0.0, 0.7, 3.0, 9.0]


@pytest.fixture
def toys():
    with registered():
        yield


def models(rng):
    return {
        "complex": mb.SingleParticleModel(
            oracles.random_hermitian(rng, 5), coupled_sites=[0, 2, 3]
        ),
        "ring": mb.SingleParticleModel(oracles.ring_hamiltonian(6)),
        "anderson": mb.anderson3d(2, 5.0, seed=3),
        "xxz": mb.xxz_chain(6, disorder=2.0, seed=3),
    }


def one_particle(rng):
    return {kind: model for kind, model in models(rng).items() if kind != "xxz"}


def applicable(name, model):
    """The equation and another, skipped where the first does not apply."""
    equation = registry.EQUATIONS[name]
    if reason := equation.applies(model):
        with pytest.raises(ValueError, match=f"'{name}' does not apply to model"):
            mb.compare(
                model,
                mb.OhmicBath(0.2, 10.0, 5.0),
                TIMES,
                equations=(name, "redfield") if name != "redfield" else (name, "davies"),
            )
        pytest.skip(reason)
    others = [own.name for own in registry.EQUATIONS.values() if not own.applies(model)]
    return equation, next(other for other in others if other != name)


def run_of(model, bath, equations, **more):
    return mb.compare(model, bath, TIMES, equations=equations, keep_states=True, **more)


@pytest.mark.parametrize("kind", ["complex", "ring", "anderson", "xxz"])
@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("name", list(registry.EQUATIONS))
def test_what_an_equation_guarantees_holds(name, kind, lamb_shift, rng, bath):
    model = models(rng)[kind]
    equation, other = applicable(name, model)
    run = run_of(model, bath, (name, other), lamb_shift=lamb_shift)
    states = run.states[name]
    assert states.shape == (len(TIMES), model.dimension, model.dimension)
    if equation.keeps.trace:
        np.testing.assert_allclose(np.einsum("taa->t", states), 1.0, atol=1e-12)
    if equation.keeps.hermiticity:
        np.testing.assert_allclose(states, np.swapaxes(states, 1, 2).conj(), atol=1e-13)
    if equation.keeps.complete_positivity:
        assert np.linalg.eigvalsh(states).min() > -1e-12
        assert name not in run.smallest_eigenvalues
    else:
        lowest = np.linalg.eigvalsh(states)[:, 0]
        np.testing.assert_allclose(run.smallest_eigenvalues[name], lowest, atol=1e-12)
    gibbs = equation.keeps.gibbs_with_lamb_shift if lamb_shift else equation.keeps.gibbs
    if gibbs:
        assert run.certificate.gibbs_residuals[name] < 1e-13


@pytest.mark.parametrize("name", list(registry.EQUATIONS))
def test_an_equation_does_not_depend_on_phases_of_sites(name, rng, bath):
    """A_j = |j⟩⟨j| stay what they are under ρ → UρU† with diagonal U, H under UHU†."""
    model = mb.SingleParticleModel(oracles.random_hermitian(rng, 5))
    _, other = applicable(name, model)
    phases = np.exp(2j * np.pi * rng.random(5))
    turned = mb.SingleParticleModel(phases[:, None] * model.hamiltonian * phases.conj())
    here, there = (run_of(each, bath, (name, other)) for each in (model, turned))
    moved = phases[:, None] * here.states[name] * phases.conj()
    np.testing.assert_allclose(there.states[name], moved, atol=1e-9)


@pytest.mark.parametrize("lamb_shift", [False, True])
@pytest.mark.parametrize("name", list(registry.EQUATIONS))
def test_an_equation_of_many_does_not_depend_on_phases_of_sites(name, lamb_shift, rng, bath):
    """The same with a phase for every particle on a site: diagonal A_j stay, H = Σ terms turns."""
    model = mb.xxz_chain(6, disorder=2.0, seed=3)
    _, other = applicable(name, model)
    phases = np.exp(1j * model.basis.occupations @ (2.0 * np.pi * rng.random(6)))
    turned = mb.ManyBodyModel(
        phases[:, None] * model.dense_hamiltonian() * phases.conj(),
        model.couplings,
        model.basis,
        lattice=model.lattice,
        terms=[Term(each.sites, gauged(each.matrix, phases)) for each in model.terms],
    )
    here, there = (
        run_of(each, bath, (name, other), lamb_shift=lamb_shift) for each in (model, turned)
    )
    assert not turned.is_real
    moved = phases[:, None] * here.states[name] * phases.conj()
    np.testing.assert_allclose(there.states[name], moved, atol=1e-9)


def gauged(matrix, phases):
    return sp.csr_array(sp.diags(phases) @ matrix @ sp.diags(phases.conj()))


def test_equations_added_from_outside_are_compared(toys, rng, bath):
    names = ("redfield", "davies", "halved", "unitary")
    for kind, model in one_particle(rng).items():
        run = run_of(model, bath, names)
        assert run.equations == names and len(run.distance) == 6, kind
        half = mb.OhmicBath(bath.coupling / np.sqrt(2.0), bath.cutoff, bath.beta)
        expected = mb.compare(model, half, TIMES, keep_states=True).redfield_states
        np.testing.assert_allclose(run.states["halved"], expected, atol=1e-9)
        alone = mb.OhmicBath(0.0, bath.cutoff, bath.beta)
        expected = mb.compare(model, alone, TIMES, keep_states=True).davies_states
        np.testing.assert_allclose(run.states["unitary"], expected, atol=1e-12)
        for pair, distance in run.distance.items():
            difference = run.states[pair[0]] - run.states[pair[1]]
            norm = np.abs(np.linalg.eigvalsh(difference)).sum(axis=1)
            np.testing.assert_allclose(distance, norm, atol=1e-12, err_msg=str(pair))
            assert distance is run.distance[pair[::-1]]
        assert set(run.smallest_eigenvalues) == {"redfield", "halved"}
        assert run.trace_distance is run.distance["redfield", "davies"]


@pytest.mark.parametrize("names", [("unitary", "davies"), ("davies", "unitary", "halved")])
def test_any_equations_in_any_order_spread_or_stacked(toys, names, rng, bath):
    for model in one_particle(rng).values():
        setting = check_setting(
            [model], bath, TIMES, 0, False, "chebyshev", 1e-10, "", "matrix-free", 0.0, None, names
        )
        stacked = mb.compare(model, bath, TIMES, equations=names)
        spread = compare_large(model, setting)
        assert stacked.distance.keys() == spread.distance.keys()
        for pair in stacked.distance:
            np.testing.assert_allclose(stacked.distance[pair], spread.distance[pair], atol=1e-12)
        assert stacked.smallest_eigenvalues.keys() == spread.smallest_eigenvalues.keys()


def test_the_second_answer_of_an_undecided_spectrum(toys, bath):
    chain = [[0, 0.3, 1e-13], [0.3, 0, 0.3], [1e-13, 0.3, 0]]
    model = mb.SingleParticleModel(chain)
    names = ("redfield", "davies", "unitary")
    with pytest.warns(UserWarning, match="cannot be decided"):
        run = run_of(model, bath, names)
    assert run.certificate.clustering == AMBIGUOUS
    assert set(run.distance_merged) == {("redfield", "davies"), ("davies", "unitary")}
    decided = mb.compare(
        mb.SingleParticleModel([[0, 0.3, 0], [0.3, 0, 0.3], [0, 0.3, 0]]),
        bath,
        TIMES,
        equations=names,
    )
    for pair, distance in run.distance_merged.items():
        np.testing.assert_allclose(distance, decided.distance[pair], atol=1e-9)
    worst = max(
        np.abs(run.distance_merged[pair] - run.distance[pair]).max()
        for pair in run.distance_merged
    )
    assert run.certificate.secular_ambiguity == worst


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("redfield",), "at least two"),
        (("redfield", "redfield"), "at least two"),
        (("redfield", "lindblad"), "'lindblad' must be one of redfield, davies"),
        ("redfield", "a sequence of names"),
    ],
)
def test_bad_names_are_refused(names, words, bath):
    with pytest.raises((ValueError, TypeError), match=words):
        mb.compare(mb.dirac_syk2(3, seed=1), bath, TIMES, equations=names)


def test_an_equation_is_stepped_or_closed_and_has_a_name_of_its_own(toys):
    with pytest.raises(ValueError, match="small letters"):
        Equation("Two words", "", "", "", KEEPS, lambda *_: 0.0, generator=halved)
    with pytest.raises(ValueError, match="either stepped or closed"):
        Equation("neither", "", "", "", KEEPS, lambda *_: 0.0)
    with pytest.raises(ValueError, match="known already"):
        registry.register(HALVED)


def test_an_assembled_operator_needs_rows(toys, bath):
    pytest.importorskip("petsc4py", reason="petsc4py not installed")
    with pytest.raises(ValueError, match="'halved' has no rows"):
        check_setting(
            [],
            bath,
            TIMES,
            0,
            False,
            "chebyshev",
            1e-10,
            "",
            "assembled",
            0.0,
            None,
            ("halved", "davies"),
        )


def test_stepped_equations_share_segments(toys, rng, bath):
    problem = Problem([models(rng)["complex"]], bath)
    one, other = registry.EQUATIONS["redfield"].generator(problem), halved(problem)
    box = joint_bounds([one, other]).spectral_box
    assert (box[:, 0] >= one.spectral_box[:, 0]).all() and (
        box[:, 1] <= one.spectral_box[:, 1]
    ).all()
    assert joint_bounds([one]) is one and joint_bounds([]) is None
    agenda = build_agenda((HALVED, UNITARY))
    assert agenda.stepped == ("halved",) and agenda.unprotected == ("halved",)


STUDY = """
name = "toys"
seed = 3
samples = 3
times = [0.0, 2.0, 6.0]
equations = ["halved", "davies", "unitary"]
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "dirac_syk2"
n_sites = [3, 4]
[outputs]
formats = ["csv", "html"]
"""


def test_equations_from_outside_are_studied_and_reported(toys, bath, tmp_path, capsys):
    text, store = tmp_path / "study.toml", tmp_path / "store"
    text.write_text(STUDY)
    assert cli.main(["run", str(text), "--out", str(store), "--quiet"]) == 0
    rows = list(csv.DictReader((store / "report" / "pairs.csv").read_text().splitlines()))
    assert [row["pair"] for row in rows[:3]] == [
        "half and Davies",
        "half and no bath",
        "Davies and no bath",
    ]
    study = Store(store).study
    point = study.systems[0].points[0]
    runs = [
        mb.compare(point.build(3, sample), study.bath, study.times, equations=study.equations)
        for sample in range(3)
    ]
    for row, pair in zip(rows, itertools.combinations(study.equations, 2)):
        mean = np.mean([run.distance[pair] for run in runs], axis=0)
        assert float(row["maximum_of_mean"]) == pytest.approx(mean.max(), rel=1e-12)
    (block,) = Store(store).read(study, point)[0]
    for row, run in enumerate(runs):
        for index, pair in enumerate(itertools.combinations(study.equations, 2)):
            found = block.arrays["trace_distance_of_pairs"][row, index]
            np.testing.assert_array_equal(found, run.distance[pair])
        smallest = block.arrays["smallest_eigenvalue_in_time"][row]
        np.testing.assert_array_equal(smallest, run.smallest_eigenvalues["halved"])
    figures = mb.report_figures(store)
    assert figures["toys"].axes[0].get_ylabel() == r"$\|\rho_{D}(t) - \rho_{H}(t)\|_1$"
    assert figures["positivity"].axes[0].get_ylabel() == r"smallest eigenvalue of $\rho_{H}(t)$"
    page = (store / "report" / "index.html").read_text()
    assert "half against Davies and no bath" in page and "Redfield against" not in page
    assert cli.main(["sample", str(store), "--size", "4", "--index", "1"]) == 0
    assert "the same bits" in capsys.readouterr().out
    # Other equations are another study.
    text.write_text(STUDY.replace(', "unitary"]', "]"))
    assert cli.main(["run", str(text), "--out", str(store), "--quiet"]) == 2
    assert "equations is" in capsys.readouterr().err


STRONG = mb.OhmicBath(2.0, 10.0, 5.0)


def test_what_leaves_the_states_is_named(toys, monkeypatch):
    """The mode of Redfield is no evidence where another equation may be the one that grows."""
    model = mb.dirac_syk2(3, seed=1)

    def said(equations):
        with pytest.warns(UserWarning, match="leaves the states") as caught:
            mb.compare(model, STRONG, [0.0, 5.0, 20.0], lamb_shift=True, equations=equations)
        (message,) = [str(one.message) for one in caught if "leaves" in str(one.message)]
        return message

    alone = said(("redfield", "davies"))
    assert alone.startswith("the Redfield state leaves") and "mode of L has" in alone
    both = said(("redfield", "halved"))
    assert both.startswith("the Redfield or half state leaves") and "mode of L has" not in both
    monkeypatch.setattr("manybody.solve.unphysical.SMALLEST_EIGENVALUE", -np.inf)
    monkeypatch.setattr("manybody.solve.unphysical.LARGEST_DISTANCE", np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mb.compare(model, STRONG, [0.0, 5.0, 20.0], lamb_shift=True)


def test_forecasts_count_equations(toys):
    few = parse_study(
        STUDY.replace('["halved", "davies", "unitary"]', '["redfield", "davies"]'), ""
    )
    many = parse_study(STUDY.replace('["halved", ', '["redfield", "halved", '), "")
    point = few.systems[0].points[0]
    applications = [cost.sample_applications(each, point) for each in (few, many)]
    assert applications[1] == 2.0 * applications[0] > 0.0
    assert cost.sample_seconds(many, point) > cost.sample_seconds(few, point)
    none = parse_study(STUDY.replace('"halved", ', ""), "")
    assert cost.sample_applications(none, point) == cost.application_flops(none, point) == 0.0
    # ρ and its output states once more, and a state more for each equation that is watched.
    square, n_times = 16.0 * 1000**2, 5
    two, four = (
        Extent(1000, n_times, False, False, "chebyshev", "matrix-free", False, n, stepped)
        for n, stepped in ((2, 1), (4, 2))
    )
    assert four.node_bytes(1, 1) - two.node_bytes(1, 1) == (1.0 + n_times) * square
    assert four.stack_bytes(1) > two.stack_bytes(1)
    assert observer_matrices(4) == observer_matrices(2) + 2.0 == 5.5
    assert cost.extent_of(many, point).n_equations == 4
    assert cost.extent_of(many, point).n_stepped == 2
