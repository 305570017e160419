"""How slowly the Redfield equation relaxes: its slowest modes, beside those of Davies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from manybody.blas import blas_threads
from manybody.numerics.columns import Columns
from manybody.numerics.petsc.runtime import slepc
from manybody.physics import arguments
from manybody.physics.assembly import assemble_rows
from manybody.physics.baths.ohmic import Bath
from manybody.physics.davies import DaviesGenerator, build_davies
from manybody.physics.davies_modes import davies_eigenvalues
from manybody.physics.models import SingleParticleModel
from manybody.physics.redfield import RedfieldGenerator, build_redfield
from manybody.physics.spectra import (
    AMBIGUOUS,
    STRUCTURAL,
    build_spectrum,
    cluster_bohr_frequencies,
)
from manybody.physics.stationary import Decomposition, decompose
from manybody.study.comparison import model_digest
from manybody.study.groups import agree, first_ranks, on_every_rank, size_of, together
from manybody.study.search import Search
from manybody.study.steady import check_assembled, check_relaxes

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

METHODS = ("auto", "dense", "gmres", "assembled")
# Sites up to which "auto" is "dense", and up to which "dense" is allowed.
DENSE_SITES, _MOST_DENSE = 27, 45
# Coherences of Davies that decay this much faster than the slowest modes found so far are
# not expected to hide a slower one of Redfield.
_MARGIN = 2.0
_MOST_SHIFTS = 300
# Modes whose frequency is below this part of ‖L‖ do not oscillate; rates that differ by less
# than this part of it are one.
_REAL, _SAME_RATE = 1e-10, 1e-13


@dataclass(frozen=True, eq=False)
class SlowModes:
    """The slowest modes of the Redfield generator.

    eigenvalues: (n,) complex in J, −Re ascending, stationary and undamped modes left out;
    of a conjugate pair both are listed, and every mode of a multiple eigenvalue.  Redfield
    does not keep positivity, and with Lamb shift a localised system may have modes that
    grow: they come first, with Re > 0, and then no state is approached at long times.
    residuals: (n,) ‖L[x] − λx‖_F of ‖x‖_F = 1, in J.  slowest_real: decay rate in J of the
    slowest mode that does not oscillate, negative if it grows, nan if there is none among
    all that were found.  davies_eigenvalues: (n,) those of Davies, nan where it cannot be
    decided which Bohr frequencies coincide.
    shifts: number of frequencies at which modes were sought, 0 for dense algebra.

    Dense algebra is complete.  Krylov methods cannot prove that no mode was missed: modes are
    sought around 0 and around the eigenvalues of Davies, twice from different random vectors,
    until discs of which all modes are known cover those of Davies that decay up to twice as
    fast as the last mode returned, and where a direct Krylov space of L sees growth.
    """

    eigenvalues: Complex
    residuals: Real
    slowest_real: float
    davies_eigenvalues: Complex
    shifts: int

    @property
    def gap(self) -> float:
        """Slowest decay rate, min −Re λ, in J; negative where a mode grows."""
        return float(-self.eigenvalues[0].real)

    @property
    def gap_frequency(self) -> float:
        """|Im λ| of the slowest mode, in J."""
        return float(abs(self.eigenvalues[0].imag))


def slow_modes(
    model: SingleParticleModel,
    bath: Bath,
    n_modes: int = 6,
    lamb_shift: bool = False,
    tolerance: float = 1e-9,
    seed: Any = 0,
    comm: Any = None,
    method: str = "auto",
) -> SlowModes:
    """The `n_modes` slowest modes of the Redfield equation, by shift-and-invert (SLEPc).

    model, bath, lamb_shift: as in `compare`, the bath coupled; n_modes: how many, at most N²
    less those that neither decay nor grow; tolerance: of the residuals, relative to the
    largest rate, where rounding of ‖L‖ allows it; seed: of the first Krylov vectors; comm: an
    mpi4py communicator whose ranks share the work, or None; method: "dense" (up to 45 sites;
    time N⁶), or Krylov-Schur on (L − shift)⁻¹ applied by "gmres" or by sparse LU with
    "assembled" (MUMPS, up to 100 sites); "auto" is dense up to 27 sites and then gmres.

    Raises TypeError or ValueError for arguments out of range or different on the ranks, on
    every rank; RuntimeError without SLEPc, when an inner solution does not converge or the
    modes asked for cannot be had.
    """
    if comm is not None and not hasattr(comm, "Get_rank"):
        raise TypeError(f"comm = {comm!r}: an mpi4py communicator or None is needed")

    def checked() -> tuple[int, float, str]:
        arguments.instance("model", model, SingleParticleModel)
        check_relaxes(bath, lamb_shift)
        arguments.boolean("lamb_shift", lamb_shift)
        arguments.choice("method", method, METHODS)
        chosen = method
        if method == "auto":
            chosen = "dense" if model.n_sites <= DENSE_SITES else "gmres"
        if chosen == "dense" and model.n_sites > _MOST_DENSE:
            raise ValueError(f"method = 'dense': {model.n_sites} sites, allowed are {_MOST_DENSE}")
        if chosen == "assembled":
            check_assembled(model.n_sites)
        if chosen != "dense":
            # Before the threads of BLAS are set: it brings its own.
            slepc()
        return arguments.integer("n_modes", n_modes, 1), arguments.tolerance(tolerance), chosen

    count, aim, chosen = on_every_rank(comm, checked)
    agree(comm, model=model_digest(model), bath=bath, arguments=(count, lamb_shift, aim, chosen))
    task = _Task(model, bath, count, lamb_shift, aim, chosen)
    found: list[SlowModes] = []
    with blas_threads(), first_ranks(comm, model.n_sites) as (ranks, active):

        def action() -> None:
            if active:
                found.append(_solve(task, arguments.seed(seed), ranks))

        if size_of(comm) <= model.n_sites:
            action()
        else:
            on_every_rank(comm, action)
    if size_of(comm) > model.n_sites:
        found = [comm.bcast(found[0] if found else None)]
    return found[0]


@dataclass(frozen=True)
class _Task:
    """What `slow_modes` was asked for, checked."""

    model: SingleParticleModel
    bath: Bath
    n_modes: int
    lamb_shift: bool
    tolerance: float
    method: str


def _solve(task: _Task, rng: np.random.Generator, comm: Any) -> SlowModes:
    columns = Columns(task.model.n_sites, comm)
    parts = together(columns.comm, lambda: decompose(build_spectrum([task.model])))
    n_dark = int(parts.dark.sum())
    moving = task.model.n_sites**2 - parts.n_components - n_dark**2
    if task.n_modes > moving:
        raise ValueError(f"n_modes = {task.n_modes}: {moving} modes decay or grow here")
    generator = build_redfield(parts.spectrum, task.bath, task.lamb_shift)
    davies, is_determined = together(columns.comm, lambda: _davies(task, parts, generator))
    if task.method == "dense":
        values, residuals = together(columns.comm, lambda: _dense(generator, moving))
        shifts = 0
    else:
        values, residuals, shifts = _search(task, generator, davies, parts, columns, rng)
    width = float(generator.spectral_box[0, 0])
    order = _slowest_first(values, width)[: task.n_modes]
    real = np.abs(values.imag) <= _REAL * width
    slowest_real = float(-values[real].real.max()) if real.any() else float("nan")
    own = np.full(task.n_modes, complex(np.nan, np.nan))
    if is_determined:
        theirs = together(columns.comm, lambda: davies_eigenvalues(davies))
        theirs = theirs[np.argsort(np.abs(theirs.real), kind="stable")][-moving:]
        own = theirs[_slowest_first(theirs, width)[: task.n_modes]]
    return SlowModes(values[order], residuals[order], slowest_real, own, shifts)


def _davies(
    task: _Task, parts: Decomposition, generator: RedfieldGenerator
) -> tuple[DaviesGenerator, bool]:
    """The Davies generator, and whether it is known which Bohr frequencies coincide."""
    clustering = cluster_bohr_frequencies(parts.spectrum)[0]
    merging = clustering.merging_tolerance if clustering.verdict == STRUCTURAL else None
    davies = build_davies(parts.spectrum, task.bath, task.lamb_shift, merging, generator)
    return davies, clustering.verdict != AMBIGUOUS


def _slowest_first(values: Complex, width: float) -> NDArray[np.intp]:
    """Order by −Re, and by Im where rounding of ‖L‖ alone makes −Re differ."""
    return np.lexsort([values.imag, np.round(-values.real / (_SAME_RATE * width))])


def _dense(generator: RedfieldGenerator, moving: int) -> tuple[Complex, Real]:
    """All eigenvalues but those that neither decay nor grow, whose number is known."""
    n = generator.spectrum.n_sites
    matrix = assemble_rows(generator, slice(0, n)).matrix.toarray()
    values, modes = scipy.linalg.eig(matrix)
    residuals = np.linalg.norm(matrix @ modes - modes * values, axis=0)
    kept = np.argsort(np.abs(values.real), kind="stable")[n * n - moving :]
    return values[kept], residuals[kept]


def _search(
    task: _Task,
    generator: RedfieldGenerator,
    davies: DaviesGenerator,
    parts: Decomposition,
    columns: Columns,
    rng: np.random.Generator,
) -> tuple[Complex, Real, int]:
    """(eigenvalues, residuals, shifts) of modes up to where those asked for are known."""

    def aims() -> tuple[tuple[Complex, Real], Complex]:
        found = davies_eigenvalues(davies, ~parts.dark)
        # Conjugates are found with their partners.
        found = found[found.imag >= 0.0]
        still = np.argsort(np.abs(found), kind="stable")[: parts.n_components]
        return _dark_and_bright(generator, parts), np.delete(found, still)

    # From one rank: where eigenvalues coincide, rounding decides which of them comes first.
    (mixed, mixed_residuals), targets = together(columns.comm, aims)
    slowest = float(-targets[0].real) if len(targets) else float(np.abs(generator.rates).max())
    search = Search(generator, davies, parts, columns, task.tolerance, rng, task.method, slowest)
    search.around(0.0j)
    search.follow_growth()
    while True:
        bright, residuals = search.moving()
        rates = np.sort(-np.concatenate([bright.real, mixed.real]))
        cutoff = np.inf
        if len(rates) >= task.n_modes:
            cutoff = _MARGIN * max(rates[task.n_modes - 1], slowest)
        open_targets = [t for t in targets if -t.real <= cutoff and not search.covers(t)]
        if not open_targets:
            break
        if search.shifts == _MOST_SHIFTS:
            raise RuntimeError(f"{search.shifts} frequencies tried: {len(rates)} modes found")
        search.around(open_targets[0])
    if len(rates) < task.n_modes:
        raise RuntimeError(f"{len(rates)} modes found, {task.n_modes} were asked for")
    values = np.concatenate([bright, mixed])
    return values, np.concatenate([residuals, mixed_residuals]), search.shifts


def _dark_and_bright(generator: RedfieldGenerator, parts: Decomposition) -> tuple[Complex, Real]:
    """Eigenvalues of coherences between a dark level and the bright ones, both of each pair.

    L[|b⟩⟨d|] = (M + iE_d)|b⟩⟨d| with M = −iH − K: no bath feeds a dark level.  With residuals.
    """
    if not parts.dark.any() or parts.dark.all():
        return np.empty(0, dtype=np.complex128), np.empty(0)
    vectors, energies = parts.spectrum.vectors[0], parts.spectrum.energies[0]
    bright, decay = vectors[:, ~parts.dark], generator.decay[0]
    inside = bright.conj().T @ decay @ bright
    own, turns = np.linalg.eig(-1j * np.diag(energies[~parts.dark]) - inside)
    # With all levels: the residual sees what the restriction to bright ones leaves out.
    modes = bright @ turns
    images = -1j * (vectors * energies) @ (vectors.conj().T @ modes) - decay @ modes
    residuals = np.linalg.norm(images - modes * own, axis=0)
    values = (own[:, None] + 1j * energies[parts.dark]).ravel()
    residuals = np.repeat(residuals, int(parts.dark.sum()))
    return np.concatenate([values, values.conj()]), np.concatenate([residuals, residuals])
