"""Quasi-local Redfield: patches, filtered couplings, the generator and its rows."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from quasi_local_cases import (
    Grid,
    Line,
    from_terms,
    mixed_field_ising,
    slow_action,
    slow_filter,
    xxz,
)

import manybody as mb
from manybody.errors import InputError
from manybody.physics.equations import patches
from manybody.physics.equations.patches import (
    coupling_sites,
    filter_couplings,
    patch_sites,
    patch_terms,
)
from manybody.physics.equations.quasi_local import build_quasi_local, quasi_local
from manybody.physics.fock.basis import FockBasis, one_body_operator
from manybody.physics.models.many_body import ManyBodyModel, Term
from manybody.physics.problem import Problem

BATH = mb.OhmicBath(coupling=0.2, cutoff=10.0, beta=5.0)
BOTH = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])


def filtered_couplings(model, bath, radius, lamb_shift):
    """Λ_j^(r) of the couplings of a model as they are, one bath for all."""
    transforms = [partial(bath.one_sided, lamb_shift=lamb_shift)] * model.couplings.n_baths
    return filter_couplings(model, model.couplings, radius, transforms)


def two_wells():
    """Bosons with up to three on a site, on three sites, U n(n − 1)/2."""
    lattice = Line(3)
    basis = FockBasis(3, "boson", 3)
    terms = []
    for i, j in lattice.bonds():
        h = np.zeros((3, 3))
        h[i, j] = h[j, i] = -0.7
        terms.append(Term((i, j), one_body_operator(basis, h)))
    for site in range(3):
        n = basis.occupations[:, site].astype(float)
        terms.append(Term((site,), sp.csr_array(sp.diags(0.4 * n * (n - 1) + 0.3 * site * n))))
    return from_terms(basis, lattice, terms)


MODELS = {
    "open": lambda: xxz(Line(5)),
    "periodic fermions": lambda: xxz(Line(6, "periodic"), n_particles=2),
    "periodic bosons": lambda: xxz(Line(6, "periodic"), statistics="boson"),
    "complex": lambda: xxz(Line(5, "periodic"), phases=True),
    "ladder": lambda: xxz(Grid(3)),
    "clean": lambda: xxz(Line(6, "periodic"), disorder=0.0),
    "ising": lambda: mixed_field_ising(4),
    "soft bosons": two_wells,
}
FILTER = patches._filter
EVERY = pytest.mark.parametrize("kind", list(MODELS))


def random_matrix(rng, dimension, hermitian):
    matrix = rng.normal(size=(dimension,) * 2) + 1j * rng.normal(size=(dimension,) * 2)
    return matrix + matrix.conj().T if hermitian else matrix


def by_definition(model, radius, lamb_shift):
    """Λ_j of all couplings as they are, neither centred nor less η(0)."""
    return [
        slow_filter(model, site, radius, own, lambda w: BATH.one_sided(w, lamb_shift))
        for site, own in enumerate(model.couplings.values)
    ]


def half(kernel, sigma):
    block = np.ascontiguousarray(sigma[None, :, kernel.columns])
    out = np.empty_like(block)
    kernel(block, out)
    return out[0]


@EVERY
@BOTH
@pytest.mark.parametrize("radius", [0, 1, 2])
def test_filtered_couplings_are_those_of_the_definition(kind, radius, lamb_shift):
    model = MODELS[kind]()
    filtered = filtered_couplings(model, BATH, radius, lamb_shift)
    for own, slow in zip(filtered, by_definition(model, radius, lamb_shift), strict=True):
        np.testing.assert_allclose(own.toarray(), slow, atol=1e-13)
    if model.is_real:
        assert all(np.iscomplexobj(own) == lamb_shift for own in filtered)


@EVERY
@BOTH
def test_a_patch_of_all_sites_gives_the_exact_filter(kind, lamb_shift):
    model = MODELS[kind]()
    radius = int(model.lattice.distances().max())
    energies, vectors = np.linalg.eigh(model.dense_hamiltonian())
    rates = BATH.one_sided(energies[None, :] - energies[:, None], lamb_shift)
    filtered = filtered_couplings(model, BATH, radius, lamb_shift)
    for own, values in zip(filtered, model.couplings.values):
        turned = vectors.conj().T @ (values[:, None] * vectors)
        exact = vectors @ (rates * turned) @ vectors.conj().T
        np.testing.assert_allclose(own.toarray(), exact, atol=1e-12)


@pytest.mark.parametrize("kind", ["open", "periodic fermions", "complex", "ladder", "soft bosons"])
def test_nothing_happens_outside_of_a_patch(kind):
    """Λ_j changes no occupation further than r, and not at all by r = 0."""
    model = MODELS[kind]()
    occupations, distances = model.basis.occupations, model.lattice.distances()
    for radius in (0, 1):
        for site, own in enumerate(filtered_couplings(model, BATH, radius, False)):
            entries = sp.coo_array(own)
            changed = occupations[entries.row] != occupations[entries.col]
            assert not changed[:, distances[site] > radius].any()
            assert own.nnz <= model.dimension or radius > 0


@EVERY
@BOTH
@pytest.mark.parametrize("hermitian", [True, False], ids=["Hermitian", "any"])
def test_kernel_and_rows_are_the_generator(kind, lamb_shift, hermitian, rng):
    """Centred couplings and Γ less iη(0) are no other equation."""
    model = MODELS[kind]()
    dimension = model.dimension
    generator = build_quasi_local(model, BATH, 1, lamb_shift)
    sigma = random_matrix(rng, dimension, hermitian)
    expected = slow_action(model, by_definition(model, 1, lamb_shift), sigma)
    kernel = generator.kernel()
    image = half(kernel, sigma) + half(kernel, sigma.conj().T).conj().T
    np.testing.assert_allclose(image, expected, atol=1e-12)
    # Index b D + a: the columns of σ one after the other.
    rows = generator.rows().matrix
    np.testing.assert_allclose(rows @ sigma.T.ravel(), expected.T.ravel(), atol=1e-12)
    assert abs(np.trace(image)) < 1e-12
    if hermitian:
        np.testing.assert_allclose(image, image.conj().T, atol=1e-12)


@pytest.mark.parametrize("kind", ["complex", "open"])
def test_columns_are_computed_by_themselves(kind, rng):
    """To the last bit, in the kernel and in the rows."""
    model = MODELS[kind]()
    dimension = model.dimension
    generator = build_quasi_local(model, BATH, 2, True)
    sigma = random_matrix(rng, dimension, False)
    whole, rows = half(generator.kernel(), sigma), generator.rows().matrix
    for columns in (slice(0, 1), slice(3, 7), slice(dimension - 2, dimension)):
        kernel = generator.kernel(columns)
        assert (half(kernel, sigma) == whole[:, columns]).all()
        own = generator.rows(columns).matrix
        part = rows[columns.start * dimension : columns.stop * dimension]
        assert (own != part).nnz == 0 and own.nnz == part.nnz
        np.testing.assert_array_equal(own.indices, part.indices)
        scaled = kernel.scaled(np.array([0.5])).scaled(np.array([-3.0]))
        np.testing.assert_allclose(half(scaled, sigma), -1.5 * whole[:, columns], rtol=1e-14)
        assert all(each.shape == (1, *whole[:, columns].shape) for each in kernel.buffers)
    nothing = generator.rows(slice(2, 2))
    assert nothing.matrix.shape == (0, dimension**2) and nothing.entries_kept == 0
    for bad in (slice(0, dimension, 2), slice(3, 3)):
        with pytest.raises(ValueError, match="contiguous"):
            generator.kernel(bad)
    with pytest.raises(ValueError, match="contiguous"):
        generator.rows(slice(0, dimension, 2))


def test_kernels_of_many_columns_and_groups(rng):
    """More columns than a panel and more couplings than a group."""
    model = xxz(Line(9))
    generator = build_quasi_local(model, BATH, 1, False)
    sigma = random_matrix(rng, model.dimension, False)
    expected = -1j * (model.hamiltonian @ sigma) - generator.decay @ sigma
    for own, filtered in zip(generator.couplings.values, generator.filtered):
        expected = expected + (filtered @ sigma) * own
    np.testing.assert_allclose(half(generator.kernel(), sigma), expected, atol=1e-12)
    sliced = half(generator.kernel(slice(20, 120)), sigma)
    np.testing.assert_allclose(sliced, expected[:, 20:120], atol=1e-12)


@BOTH
def test_rows_are_sparse_and_their_diagonal_is_stored(lamb_shift):
    model = xxz(Line(8))
    rows = build_quasi_local(model, BATH, 1, lamb_shift).rows()
    assert rows.entries_kept == rows.matrix.nnz
    assert rows.entries_kept < 0.25 * rows.entries_possible
    assert rows.dropped_local == 0.0 and rows.dropped_squares == 0.0
    entries = sp.coo_array(rows.matrix)
    assert np.count_nonzero(entries.row == entries.col) == rows.matrix.shape[0]
    assert np.all(entries.data[entries.row != entries.col] != 0.0)
    ordered = [
        np.all(np.diff(rows.matrix.indices[a:b]) > 0)
        for a, b in zip(rows.matrix.indptr[:40], rows.matrix.indptr[1:41])
    ]
    assert all(ordered)


def test_dropped_rows_keep_the_trace_and_the_bound(rng):
    model = xxz(Line(6), disorder=3.0)
    generator = build_quasi_local(model, BATH, 2, True)
    whole = generator.rows().matrix
    for tolerance in (1e-3, 3e-2):
        few = generator.rows(slice(None), tolerance)
        difference = whole - few.matrix
        assert few.entries_kept < whole.nnz and few.dropped_squares == 0.0
        trace = np.eye(model.dimension).ravel()
        np.testing.assert_allclose(few.matrix.T @ trace, 0.0, atol=1e-14)
        for _ in range(5):
            rho = random_matrix(rng, model.dimension, True)
            image = (difference @ rho.T.ravel()).reshape(rho.shape)
            measured = np.linalg.norm(image, "nuc") / np.linalg.norm(rho, "nuc")
            assert 0.0 < measured <= 2.0 * few.dropped_local
        part = generator.rows(slice(2, 5), tolerance)
        assert part.dropped_local == few.dropped_local
        rows = few.matrix[2 * model.dimension : 5 * model.dimension]
        assert (part.matrix != rows).nnz == 0


@BOTH
@pytest.mark.parametrize("kind", ["open", "complex", "ising"])
def test_the_spectral_box_holds_the_spectrum(kind, lamb_shift):
    generator = build_quasi_local(MODELS[kind](), BATH, 1, lamb_shift)
    eigenvalues = np.linalg.eigvals(generator.rows().matrix.toarray())
    ((width, lowest, highest),) = generator.spectral_box
    assert np.abs(eigenvalues.imag).max() <= width <= 1.5 * np.abs(eigenvalues.imag).max()
    assert lowest <= eigenvalues.real.min() and eigenvalues.real.max() <= highest
    assert generator.spectral_outline is None


def test_the_box_of_a_larger_sample_needs_no_diagonalisation():
    """Lanczos on both sides, D = 252, and a Hamiltonian that is zero."""
    model = xxz(Line(10), disorder=2.0)
    generator = build_quasi_local(model, BATH, 1, False)
    energies = np.linalg.eigvalsh(model.dense_hamiltonian())
    mean = generator.decay.toarray()
    damping = np.abs(np.linalg.eigvalsh(0.5 * (mean + mean.conj().T))).max()
    ((width, lowest, highest),) = generator.spectral_box
    band = width - 2.0 * float(generator.decay_bound[0])
    assert energies[-1] - energies[0] <= band <= 1.02 * (energies[-1] - energies[0])
    assert damping <= 2.0 * highest <= 1.02 * damping and lowest == -4.0 * highest
    assert float(generator.decay_bound[0]) >= np.linalg.norm(mean, 2)
    with pytest.raises(InputError, match="no spectrum"):
        _ = generator.spectrum
    basis, lattice = model.basis, model.lattice
    nothing = from_terms(basis, lattice, [Term((0,), sp.csr_array((252, 252)))])
    assert build_quasi_local(nothing, BATH, 1, False).spectral_box[0, 0] >= 0.0


def test_errors_fall_with_the_radius_and_faster_when_localised():
    def errors(model):
        centred = model.couplings.centred(False)
        transforms = [partial(BATH.one_sided, lamb_shift=False)] * centred.n_baths
        # A patch of the whole chain is exact.
        exact, *others = (
            [own.toarray() for own in filter_couplings(model, centred, radius, transforms)]
            for radius in (7, 0, 1, 2, 3)
        )
        return [
            max(np.linalg.norm(a - b, 2) / np.linalg.norm(b, 2) for a, b in zip(own, exact))
            for own in others
        ]

    chaotic, localised = (errors(xxz(Line(8), disorder=w)) for w in (1.0, 8.0))
    for sizes in (chaotic, localised):
        assert sizes == sorted(sizes, reverse=True) and sizes[-1] > 1e-12
    assert localised[3] < 0.5 * chaotic[3]


def test_far_away_the_filter_does_not_depend_on_the_size():
    """Λ_0^(1) of chains of 6 and of 8 sites that are alike near site 0."""
    few, many = (xxz(Line(n), disorder=0.0) for n in (6, 8))
    norms = [
        np.linalg.norm(filtered_couplings(model, BATH, 1, True)[0].toarray(), 2)
        for model in (few, many)
    ]
    assert norms[0] == pytest.approx(norms[1], rel=1e-13)


@pytest.mark.parametrize("lattice", [Grid(4), Line(8, "periodic")], ids=["ladder", "ring"])
@pytest.mark.parametrize("statistics", ["fermion", "boson"])
def test_equal_blocks_are_diagonalised_once(lattice, statistics, monkeypatch):
    """A block for every particle number in the patch, whatever is outside: no signs left."""
    model = xxz(lattice, statistics=statistics)
    solved = []

    def counted(hamiltonians, coupling, transform):
        solved.append(len(hamiltonians))
        return FILTER(hamiltonians, coupling, transform)

    monkeypatch.setattr(patches, "_filter", counted)
    for radius in (1, 2):
        solved.clear()
        filtered_couplings(model, BATH, radius, False)
        inside = [len(patch_sites(model, site, radius)) for site in range(8)]
        numbers = [min(n, 4) - max(0, n - 4) + 1 for n in inside]
        assert sum(solved) == sum(numbers)


def test_the_equation_of_a_problem():
    equation = quasi_local(2)
    assert equation.name == "quasi-local-2" and equation.is_stepped
    model = xxz(Line(6))
    problem = Problem([model], BATH, True)
    generator = equation.generator(problem)
    assert equation.generator(problem) is generator
    assert quasi_local(1).generator(problem) is not generator
    assert "spectrum" not in vars(problem)
    direct = build_quasi_local(model, BATH, 2, True)
    rows = equation.rows(generator, slice(0, 3), 0.0).matrix
    assert (rows != direct.rows(slice(0, 3)).matrix).nnz == 0
    with pytest.raises(InputError, match="one by one"):
        equation.generator(Problem([model, model], BATH))
    with pytest.raises(InputError, match="ManyBodyModel"):
        equation.generator(Problem([mb.dirac_syk2(4)], BATH))
    for bad in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="radius"):
            quasi_local(bad)


def test_patches_by_hand():
    model = xxz(Line(6, "periodic"))
    assert patch_sites(model, 0, 1).tolist() == [0, 1, 5]
    sites = {tuple(sorted(each.sites)) for each in patch_terms(model, 0, 1)}
    assert sites == {(0,), (1,), (5,), (0, 1), (0, 5)}
    assert len(patch_terms(model, 2, 3)) == len(model.terms)
    assert coupling_sites(model) == list(range(6))


def test_few_couplings_find_their_sites(rng):
    """Baths on sites 4 and 1 alone; with η on the couplings are not centred."""
    whole = xxz(Line(5))
    few = from_terms(whole.basis, whole.lattice, whole.terms, whole.couplings.values[[4, 1]])
    assert coupling_sites(few) == [4, 1]
    every = filtered_couplings(whole, BATH, 1, True)
    chosen = filtered_couplings(few, BATH, 1, True)
    for own, site in zip(chosen, (4, 1)):
        np.testing.assert_allclose(own.toarray(), every[site].toarray(), atol=1e-15)
    sigma = random_matrix(rng, few.dimension, True)
    image = half(build_quasi_local(few, BATH, 1, True).kernel(), sigma)
    expected = slow_action(few, [each.toarray() for each in chosen], sigma)
    np.testing.assert_allclose(image + image.conj().T, expected, atol=1e-12)


def test_what_has_no_patches_is_refused():
    model = xxz(Line(4))
    basis, lattice, terms = model.basis, model.lattice, model.terms
    given = {"basis": basis, "lattice": lattice, "terms": terms}
    for missing in given:
        rest = {**given, missing: None}
        bare = ManyBodyModel(model.hamiltonian, model.couplings.values, **rest)
        with pytest.raises(InputError, match=f"no {missing}"):
            filtered_couplings(bare, BATH, 1, False)
        with pytest.raises(InputError, match=f"no {missing}"):
            patch_terms(bare, 0, 1)
    short = ManyBodyModel(
        model.hamiltonian, model.couplings.values, **{**given, "terms": terms[1:]}
    )
    with pytest.raises(InputError, match="do not add up"):
        filtered_couplings(short, BATH, 1, False)
    product = model.couplings.values[:1] * model.couplings.values[1:2]
    with pytest.raises(InputError, match="more than the occupation of one site"):
        filtered_couplings(from_terms(basis, lattice, terms, product), BATH, 1, False)
    matrices = from_terms(basis, lattice, terms, [model.dense_hamiltonian()])
    with pytest.raises(InputError, match="diagonal couplings"):
        filtered_couplings(matrices, BATH, 1, False)
    liar = [Term((0,), each.matrix) for each in terms]
    with pytest.raises(InputError, match="do not name"):
        filtered_couplings(from_terms(basis, lattice, liar), BATH, 0, False)
    for centre, radius in ((4, 1), (-1, 1), (0, -1), (0, 0.5)):
        with pytest.raises(InputError, match="centre|radius"):
            patch_terms(model, centre, radius)
    with pytest.raises(InputError, match="4 sites|sites, the basis"):
        patch_terms(
            ManyBodyModel(
                model.hamiltonian, model.couplings.values, basis, lattice=Line(5), terms=terms
            ),
            0,
            1,
        )


def test_a_constant_in_no_term_does_not_matter():
    model = xxz(Line(4))
    shifted = model.dense_hamiltonian() + 3.7 * np.eye(model.dimension)
    moved = ManyBodyModel(
        shifted, model.couplings.values, model.basis, lattice=model.lattice, terms=model.terms
    )
    for here, there in zip(*(filtered_couplings(m, BATH, 1, True) for m in (model, moved))):
        np.testing.assert_array_equal(here.toarray(), there.toarray())
