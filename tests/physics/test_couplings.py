"""Rates of linear coupling: the signs of SNM eqs. (7) and (8) by their definitions."""

import math

import many_body_oracles as slow
import numpy as np
import oracles
import pytest
import scipy.integrate
import scipy.linalg
import scipy.sparse as sp
from fock_oracles import density_coupling

from manybody.physics.fock.basis import FockBasis
from manybody.physics.fock.couplings import (
    Coupling,
    Ladder,
    exchange_couplings,
    hermitian_coupling,
)
from manybody.physics.fock.half_form import FockModel, build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation

LEAD = slow.FlatLead(0.7, 3.0, 0.4)
BOSONS = slow.BoseReservoir(0.7, 1.5, -0.3)


def test_the_stand_in_lead_is_a_lead():
    """Its filled shift is P∫ fD / (2π(ω − ω')), to the digits of the quadrature."""
    for omega in (-1.3, 0.0, 0.41, 2.2):
        value, _ = scipy.integrate.quad(
            lambda w: -float(LEAD.filled(w)) / (2 * math.pi),
            -200.0,
            60.0,
            weight="cauchy",
            wvar=omega,
            epsabs=1e-11,
            limit=400,
        )
        assert float(LEAD.filled_shift(omega)) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("half", [0, 1], ids=["loss", "gain"])
def test_eta_is_the_transform_of_gamma(half):
    """η(ω) = P∫ γ(ω') / (2π(ω − ω')) on the band, for fermions, loss and gain."""
    bath = exchange_couplings(1, 0, LEAD, 1.3)[half].bath
    for omega in (-1.3, 0.0, 0.41, 2.2):
        value, _ = scipy.integrate.quad(
            lambda w: -float(bath.gamma(w)) / (2 * math.pi),
            -200.0,
            200.0,
            weight="cauchy",
            wvar=omega,
            epsabs=1e-11,
            limit=400,
        )
        assert float(bath.eta(omega)) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("reservoir", [LEAD, BOSONS], ids=["fermion", "boson"])
def test_kms_and_commutator(reservoir):
    """γ_loss(ω) = e^{β(ω−μ)} γ_gain(−ω), SNM eq. (8); loss ± gain is D, and so for the shifts."""
    loss, gain = (each.bath for each in exchange_couplings(2, 0, reservoir, 1.5))
    omega = np.linspace(0.05, 6.0, 40)
    x = reservoir.beta * (omega - reservoir.chemical_potential)
    np.testing.assert_allclose(loss.gamma(omega), np.exp(x) * gain.gamma(-omega), rtol=1e-12)
    sign = 1.0 if reservoir.statistics == "fermion" else -1.0
    total = loss.gamma(omega) + sign * gain.gamma(-omega)
    np.testing.assert_allclose(total, 2.25 * reservoir.spectrum(omega), rtol=1e-12)
    shift = loss.eta(omega) - sign * gain.eta(-omega)
    np.testing.assert_allclose(shift, 2.25 * reservoir.shift(omega), atol=1e-13)


def test_loss_keeps_its_digits_below_a_full_reservoir():
    """1 − f = e^{−200} far below μ, where a difference would be zero."""
    loss, gain = (each.bath for each in exchange_couplings(1, 0, slow.FlatLead(1.0, 50.0, 2.0)))
    assert float(loss.gamma(-2.0)) == pytest.approx(math.exp(-200.0), rel=1e-12)
    assert float(gain.gamma(-6.0)) == pytest.approx(math.exp(-200.0), rel=1e-12)


class FiniteTime:
    """Γ_T(ω) = ∫_0^T e^{iωs} weight e^{−iεs} ds of a bath with one mode, as γ and η."""

    def __init__(self, weight, energy, time):
        self.weight, self.energy, self.time = weight, energy, time

    def _transform(self, omega):
        detuning = np.asarray(omega) - self.energy
        return self.weight * (np.exp(1j * detuning * self.time) - 1.0) / (1j * detuning)

    def gamma(self, omega):
        return 2.0 * self._transform(omega).real

    def eta(self, omega):
        return self._transform(omega).imag


@pytest.mark.parametrize(
    ("statistics", "graded"), [("fermion", True), ("fermion", False), ("boson", False)]
)
def test_signs_from_the_double_commutator(rng, statistics, graded):
    """−∫_0^T tr_B [H_int, [H_int(−s), ρ ⊗ ρ_B]] with one bath mode, by quadrature.

    Loss has C(s) = g²(1 ∓ f) e^{−iεs}, gain g² f e^{+iεs}; modes of the bath come after those
    of the system.  Any ρ for fermions needs the graded operators, an even one does not.
    """
    n, g, energy, time, fermions = 2, 0.6, 0.83, 1.7, statistics == "fermion"
    limit = 1 if fermions else 4
    filling = 0.35 if fermions else 1e-4
    h = oracles.random_hermitian(rng, n)
    everything = slow.ladder_operators(n + 1, statistics, limit)
    size = (limit + 1) ** n
    free = slow.quadratic(everything, scipy.linalg.block_diag(h, energy))
    bath_mode = everything[n]
    coupled = g * (everything[0].T @ bath_mode + bath_mode.T @ everything[0])
    if fermions:
        weights = np.array([1 - filling, filling])
    else:
        weights = (filling / (1 + filling)) ** np.arange(limit + 1) / (1 + filling)
    rho = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    number = np.array([sum(divmod(state, limit + 1)) for state in range(size)])
    if not fermions:
        # Two particles at most and as many in the bath: the edge at four is out of reach.
        rho[number > 2] = 0.0
        rho[:, number > 2] = 0.0
    elif not graded:
        rho[(number[:, None] + number) % 2 == 1] = 0.0
    total = np.kron(np.diag(weights), rho)

    energies, vectors = np.linalg.eigh(free)
    in_energy = vectors.conj().T @ coupled @ vectors
    differences = energies[:, None] - energies

    def integrand(s):
        earlier = vectors @ (np.exp(-1j * differences * s) * in_energy) @ vectors.conj().T
        inner = earlier @ total - total @ earlier
        outer = coupled @ inner - inner @ coupled
        return -np.einsum("iaib->ab", outer.reshape((limit + 1, size) * 2))

    nodes, quadrature = np.polynomial.legendre.leggauss(24)
    points = 0.5 * time * (nodes + 1.0)
    expected = sum(0.5 * time * w * integrand(s) for s, w in zip(points, quadrature))

    emptiness = 1.0 - filling if fermions else 1.0 + filling
    one = np.eye(n)[0]
    couplings = [
        Coupling(Ladder(one, False, graded), FiniteTime(g**2 * emptiness, energy, time)),
        Coupling(Ladder(one, True, graded), FiniteTime(g**2 * filling, -energy, time)),
    ]
    model = FockModel(FockBasis(n, statistics, max_occupation=limit), h)
    generator = build_redfield_equation(model, couplings, lamb_shift=True)
    change = generator.dissipate(0, rho) + generator.dissipate(1, rho)
    np.testing.assert_allclose(change, expected, atol=1e-12)


def test_fields_move_between_bases(rng):
    orbitals = oracles.random_unitary(rng, 3)
    v = rng.normal(size=3) + 1j
    for field in (Ladder(v, False, True), Ladder(v, True, False)):
        back = field.to_modes(orbitals).to_sites(orbitals)
        np.testing.assert_allclose(back.amplitudes, field.amplitudes, atol=1e-14)
    basis = FockBasis(3)
    a = slow.ladder_operators(3)
    modes = [sum(orbitals[j, k].conj() * a[j] for j in range(3)) for k in range(3)]
    lowered = Ladder(v, False, False).to_modes(orbitals).amplitudes
    raised = Ladder(v, True, False).to_modes(orbitals).amplitudes
    np.testing.assert_allclose(
        sum(x * c for x, c in zip(lowered, modes)),
        Ladder(v, False, False).operator(basis).toarray(),
        atol=1e-13,
    )
    np.testing.assert_allclose(
        sum(x * c.conj().T for x, c in zip(raised, modes)),
        Ladder(v, True, False).operator(basis).toarray(),
        atol=1e-13,
    )
    np.testing.assert_allclose(
        Ladder(v, True, True).operator(basis).toarray(),
        Ladder(v.conj(), False, True).operator(basis).toarray().conj().T,
    )


def test_couplings_check_their_arguments(bath):
    with pytest.raises(TypeError, match="has no gamma, eta"):
        Coupling(np.eye(2), 0.2)
    with pytest.raises(TypeError, match="operator = 'n'"):
        Coupling("n", bath)
    with pytest.raises(TypeError, match="reservoir.*has no spectrum"):
        exchange_couplings(2, 0, bath)
    with pytest.raises(ValueError, match="not Hermitian"):
        hermitian_coupling(np.array([[0.0, 1.0], [0.0, 0.0]]), bath)
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        hermitian_coupling(sp.identity(3), bath).matrix(FockBasis(1))
    loss, _ = exchange_couplings(2, 0, LEAD)
    with pytest.raises(ValueError, match="2 modes does not fit a basis of 3"):
        loss.matrix(FockBasis(3))
    with pytest.raises(ValueError, match="fermion reservoir does not fit boson"):
        loss.matrix(FockBasis(2, "boson", max_particles=2))
    with pytest.raises(ValueError, match="linear coupling changes the number"):
        loss.matrix(FockBasis(2, n_particles=1))


def test_an_infinite_rate_is_refused_where_it_is_met(bath):
    """As of a sub-Ohmic bath at ω = 0, which a density meets and hopping between levels not."""

    class SubOhmic:
        gamma = staticmethod(lambda w: np.where(w == 0.0, np.inf, bath.gamma(w)))
        eta = staticmethod(bath.eta)

    model = FockModel(FockBasis(2, n_particles=1), np.diag([0.0, 1.0]))
    with pytest.raises(ValueError, match="infinite rate at ω = 0"):
        build_redfield_equation(model, [density_coupling(model.basis, 0, SubOhmic())])
    # Of the rate equation of degenerate modes too, whose frequencies are 0 but for rounding.
    ring = FockModel(FockBasis(4, n_particles=1), oracles.ring_hamiltonian(4))
    with pytest.raises(ValueError, match="infinite rate at ω = 0"):
        build_davies_equation(ring, [density_coupling(ring.basis, 0, SubOhmic())])
    flip = hermitian_coupling(np.array([[0.0, 1.0], [1.0, 0.0]]), SubOhmic())
    known = hermitian_coupling(np.array([[0.0, 1.0], [1.0, 0.0]]), bath)
    refused, finite = (build_redfield_equation(model, [each]).toarray() for each in (flip, known))
    np.testing.assert_array_equal(refused, finite)
