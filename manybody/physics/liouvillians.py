"""The two generators as matrices, for small systems and for checking."""

from collections.abc import Callable

from manybody.arrays import Complex
from manybody.errors import InputError
from manybody.physics import arguments
from manybody.physics.assembly import assemble_rows
from manybody.physics.baths.several import AnyBaths, GivenBaths, check_baths
from manybody.physics.equations.davies import davies_of
from manybody.physics.equations.redfield import redfield_of
from manybody.physics.models.protocol import Model, check_model
from manybody.physics.problem import Problem
from manybody.physics.spectra import AMBIGUOUS
from manybody.physics.undecided import MERGED, checked, warn_undecided
from manybody.physics.underflow import zero_where_tiny
from manybody.physics.vectorise import column_order_to_row_major

# One dense array of 16 N⁴ bytes: 4.3 GB here, and as much again for Redfield rows.
MAX_SITES = 128


class Liouvillian:
    """A generator L with dρ/dt = L[ρ], on the row-major vec of ρ (index a N + b).

    clustering: of Davies up to 128 sites "simple", "structural" or "ambiguous" (PHYSICS.md
    section 4), else None.
    """

    def __init__(
        self, n_sites: int, build: Callable[[], Complex], clustering: str | None = None
    ) -> None:
        self.n_sites, self.clustering = n_sites, clustering
        self._build = build

    @property
    def shape(self) -> tuple[int, int]:
        """(N², N²)."""
        return self.n_sites**2, self.n_sites**2

    @zero_where_tiny
    def toarray(self) -> Complex:
        """Dense (N², N²) matrix.  Raises ValueError above 128 sites."""
        if self.n_sites > MAX_SITES:
            raise InputError(
                f"n_sites = {self.n_sites}: a dense Liouvillian has 16 N⁴ bytes, "
                f"allowed are at most {MAX_SITES} sites"
            )
        return self._build()


def redfield_liouvillian(model: Model, bath: GivenBaths, lamb_shift: bool = False) -> Liouvillian:
    """Redfield generator, SNM eq. (18), complex-linear; see `Liouvillian`."""

    baths = _checked(model, bath, lamb_shift)

    def build() -> Complex:
        rows = assemble_rows(redfield_of(Problem([model], baths, lamb_shift))).matrix
        matrix: Complex = column_order_to_row_major(rows, model.dimension).toarray()
        return matrix

    return Liouvillian(model.dimension, build)


def davies_liouvillian(
    model: Model, bath: GivenBaths, lamb_shift: bool = False, undecided: str | None = None
) -> Liouvillian:
    """Davies generator (secular part of SNM eq. (18)); see `Liouvillian`.

    undecided: what to do with Bohr frequencies of which it cannot be decided whether they
    coincide: "apart" or "merged"; None keeps them apart with a warning.
    """

    baths = _checked(model, bath, lamb_shift)
    checked(undecided)
    if model.dimension > MAX_SITES:
        return Liouvillian(model.dimension, _refused)
    problem = Problem([model], baths, lamb_shift)
    clustering = problem.clustering
    if clustering.verdict == AMBIGUOUS and undecided is None:
        warn_undecided(clustering.undecided())

    def build() -> Complex:
        return davies_of(problem)[-1 if undecided == MERGED else 0].toarray()

    return Liouvillian(model.dimension, build, clustering.verdict)


def _refused() -> Complex:
    raise AssertionError("`toarray` refuses so many sites itself")


def _checked(model: Model, bath: object, lamb_shift: object) -> AnyBaths:
    """The baths of these arguments, all of them checked."""
    check_model(model)
    arguments.boolean("lamb_shift", lamb_shift)
    return check_baths(bath, model.couplings, lamb_shift)
