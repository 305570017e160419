"""Systems, contacts and states that the tests of many particles share."""

import many_body_oracles as slow
import numpy as np
import oracles
import pytest
from fock_oracles import build_local_equation

from manybody.physics.fock.couplings import exchange_couplings
from manybody.physics.fock.half_form import build_redfield_equation
from manybody.physics.fock.secular import build_davies_equation

BOTH = pytest.mark.parametrize("lamb_shift", [False, True], ids=["eta off", "eta on"])
BUILDERS = {
    "redfield": build_redfield_equation,
    "davies": build_davies_equation,
    "local": build_local_equation,
}


def leads(n, identical=False):
    """(site, reservoir, strength), all of them different unless `identical`."""
    if identical:
        return [(site, slow.FlatLead(0.5, 2.0, 0.2), 0.6) for site in range(n)]
    reservoirs = [
        slow.FlatLead(0.4 + 0.1 * site, 1.0 + 0.7 * site, 0.3 - 0.4 * site) for site in range(n)
    ]
    return [(site, each, 0.7 - 0.15 * site) for site, each in enumerate(reservoirs)]


def exchanges(n, contacts, graded=True):
    return [
        each
        for site, reservoir, strength in contacts
        for each in exchange_couplings(n, site, reservoir, strength, graded)
    ]


def pairs_of(operators, contacts, lamb_shift):
    return [
        pair
        for site, reservoir, strength in contacts
        for pair in slow.exchange_pairs(operators[site], reservoir, strength, lamb_shift)
    ]


def random_matrix(rng, dimension):
    return rng.normal(size=(dimension,) * 2) + 1j * rng.normal(size=(dimension,) * 2)


def even_state(rng, basis):
    """A random state without coherence between even and odd particle numbers."""
    root = random_matrix(rng, basis.dimension)
    rho = root @ root.conj().T
    rho[basis.parities[:, None] != basis.parities] = 0.0
    return rho / np.trace(rho)


def chain(n, v=0.9):
    """A disordered t-V chain, its h complex, in the sector of about half filling."""
    rng = np.random.default_rng(n)
    h = oracles.random_hermitian(rng, n)
    bonds = np.zeros((n, n))
    bonds[np.arange(n - 1), np.arange(1, n)] = v
    return h, bonds
