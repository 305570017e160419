"""The two generators as matrices, for small systems and for checking."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.physics import arguments
from manybody.physics.assembly import assemble_rows
from manybody.physics.baths.ohmic import Bath, check_bath
from manybody.physics.davies import build_davies
from manybody.physics.models import SingleParticleModel
from manybody.physics.redfield import build_redfield
from manybody.physics.spectra import AMBIGUOUS, SIMPLE, build_spectrum, cluster_bohr_frequencies
from manybody.physics.vectorise import column_order_to_row_major

# One dense array of 16 N⁴ bytes: 4.3 GB here, and as much again for Redfield rows.
MAX_SITES = 128


class Liouvillian:
    """A generator L with dρ/dt = L[ρ], on the row-major vec of ρ (index a N + b)."""

    def __init__(self, n_sites: int, build: Callable[[], Any]) -> None:
        self.n_sites = n_sites
        self._build = build

    @property
    def shape(self) -> tuple[int, int]:
        """(N², N²)."""
        return self.n_sites**2, self.n_sites**2

    def toarray(self) -> NDArray[np.complex128]:
        """Dense (N², N²) matrix.  Raises ValueError above 128 sites."""
        if self.n_sites > MAX_SITES:
            raise ValueError(
                f"n_sites = {self.n_sites}: a dense Liouvillian has 16 N⁴ bytes, "
                f"allowed are at most {MAX_SITES} sites"
            )
        return self._build()


def redfield_liouvillian(
    model: SingleParticleModel, bath: Bath, lamb_shift: bool = False
) -> Liouvillian:
    """Redfield generator, SNM eq. (18), complex-linear; see `Liouvillian`."""

    _check(model, bath, lamb_shift)

    def build() -> NDArray[np.complex128]:
        generator = build_redfield(build_spectrum([model]), bath, lamb_shift)
        return column_order_to_row_major(assemble_rows(generator).matrix, model.n_sites).toarray()

    return Liouvillian(model.n_sites, build)


def davies_liouvillian(
    model: SingleParticleModel, bath: Bath, lamb_shift: bool = False
) -> Liouvillian:
    """Davies generator (secular part of SNM eq. (18)); see `Liouvillian`.

    Raises ValueError when it cannot be decided which Bohr frequencies coincide.
    """

    _check(model, bath, lamb_shift)

    def build() -> NDArray[np.complex128]:
        spectrum = build_spectrum([model])
        clustering = cluster_bohr_frequencies(spectrum)[0]
        if clustering.verdict == AMBIGUOUS:
            raise ValueError(
                f"{clustering.merged_neighbours} Bohr frequencies lie within "
                f"{clustering.tolerance:.1e} of a neighbour by neither chance nor symmetry: "
                "the Davies generator is not determined"
            )
        merging = None if clustering.verdict == SIMPLE else clustering.merging_tolerance
        return build_davies(spectrum, bath, lamb_shift, merging).toarray()

    return Liouvillian(model.n_sites, build)


def _check(model: object, bath: object, lamb_shift: object) -> None:
    arguments.instance("model", model, SingleParticleModel)
    check_bath(bath, lamb_shift)
    arguments.boolean("lamb_shift", lamb_shift)
