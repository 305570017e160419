"""How much memory a sample takes, and how much a machine has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manybody.errors import InputError
from manybody.numerics.protocols import Stepper
from manybody.numerics.steppers import Assembled, MatrixFree, find_operator, find_stepper
from manybody.physics.couplings import Couplings, DiagonalCouplings, MatrixCouplings
from manybody.physics.equations.protocol import Equation, SystemFacts
from manybody.physics.equations.redfield import layout_of
from manybody.solve.monitor import observer_matrices, observers
from manybody.solve.stacked import is_large
from manybody.system.memory import INTERPRETER_BYTES, machine_bytes

# Steady states and slow modes: vectors of GMRES within those of Krylov-Schur, spread, and
# what every rank keeps for itself of H, V and the preconditioner.
_KRYLOV_VECTORS, _REPLICATED = 85.0, 14.0
# Rank 0 before there is anything else: eigenvectors and what follows from them.
_PREPARING = 8.0
# The same while the tables of many particles are made.
_PREPARING_TABLES = 4.0
# Up to so many states the tables of a kernel are planned to know their number: a second.
MOST_PLANNED = 5000


@dataclass(frozen=True)
class Baths:
    """Couplings of many particles as far as memory is concerned; of one particle nothing.

    number: how many there are; table_bytes: what the matrices of a kernel take, once a node;
    kept_bytes: the Λ_j that wait for others of their group while tables are made.
    """

    number: int = 0
    table_bytes: int = 0
    kept_bytes: int = 0

    @classmethod
    def unplanned(cls, number: int, dimension: int, is_split: bool) -> "Baths":
        """Density couplings of systems for which planning itself would take long: a table each."""
        return cls(number, (number + 1) * (8 if is_split else 16) * dimension**2)

    @classmethod
    def of(cls, couplings: Couplings, is_split: bool) -> "Baths":
        """Those of a system; is_split: whether all is real, the Lamb shift left out."""
        number = couplings.n_baths
        if isinstance(couplings, DiagonalCouplings) and couplings.dimension > MOST_PLANNED:
            return cls.unplanned(number, couplings.dimension, is_split)
        if isinstance(couplings, DiagonalCouplings):
            kind = np.float64 if is_split else np.complex128
            layout = layout_of(couplings.centred(False), kind)
            first, *others = (len(group.rows) for group in layout.groups)
            kept = (first + max(others, default=0)) * layout.dimension**2 * layout.dtype.itemsize
            return cls(number, layout.bytes, kept)
        if isinstance(couplings, MatrixCouplings):
            # The A_j themselves too: as given, centred, and columns of them.
            kernel = (number + 1) * 16 * couplings.dimension**2
            return cls(number, kernel + 3 * couplings.arrays.nbytes)
        return cls()


@dataclass(frozen=True)
class Extent:
    """What the memory of one sample depends on, all output times in one segment.

    dimension, n_times: D and T; is_real: whether H is; krylov: whether steady states or slow
    modes are sought too; n_equations, n_stepped: how many are compared, and how many of them are
    stepped; baths: couplings of many particles; has_spectrum: whether H is diagonalised, so that
    there are V, G and what follows from them; own_bytes: of matrices that every rank keeps for
    itself; row_share: stored entries of an assembled Liouvillian, of 2D − 1 a row; the rest as
    in `compare`.
    """

    dimension: int
    n_times: int
    is_real: bool
    lamb_shift: bool
    stepper: str | Stepper
    operator: str | MatrixFree | Assembled
    krylov: bool = False
    n_equations: int = 2
    n_stepped: int = 1
    baths: Baths = Baths()
    has_spectrum: bool = True
    own_bytes: float = 0.0
    row_share: float = 1.0

    def is_shared(self, n_ranks: int) -> bool:
        """Whether the sample is spread."""
        return is_large(self.dimension) or n_ranks > 1 or find_operator(self.operator).spread

    @property
    def _square(self) -> float:
        """Bytes of a complex D x D array."""
        return 16.0 * self.dimension**2

    @property
    def _once(self) -> float:
        """Arrays kept once a node: V, G, what multiplies ρ, what follows from ⟨l|A_j|k⟩."""
        if not self.has_spectrum:
            return 0.0
        split = self.is_real and not self.lamb_shift
        vectors = 0.5 if self.is_real else 1.0
        known = vectors + (1.0 if self.lamb_shift else 0.5)
        if self.baths.number:
            return known + self.baths.table_bytes / self._square + 1.0
        return known + (0.5 if split else 1.0) + 0.5

    @property
    def _preparing(self) -> float:
        """Arrays of rank 0 before there is anything else.

        Of many particles: all tables, the Λ_j of which the next ones are made, and the few that
        these come from; measured at D = 924 and 3432 within a tenth.
        """
        if not self.has_spectrum:
            return 0.0
        if not self.baths.number:
            return _PREPARING
        tables = (self.baths.table_bytes + self.baths.kept_bytes) / self._square
        return max(_PREPARING, _PREPARING_TABLES + tables)

    @property
    def _spread(self) -> float:
        """Arrays over all ranks while a state advances."""
        split = self.is_real and not self.lamb_shift
        vectors = find_stepper(self.stepper).vectors(self.dimension, self.n_times)
        # Every ρ and its output states; diagonal factors, workspaces, vectors of the stepper.
        arrays = self.n_stepped * (1.0 + self.n_times) + 1.0 + (3.0 if split else 2.0) + vectors
        return arrays + self.row_share * find_operator(self.operator).arrays(self.dimension)

    def rank_bytes(self, n_ranks: int) -> float:
        """Peak of the fullest of `n_ranks` ranks, with what its node shares."""
        return self.node_bytes(n_ranks, 1)

    def node_bytes(self, n_ranks: int, here: int) -> float:
        """Peak of a machine that has `here` of the `n_ranks` ranks of a sample."""
        interpreters = here * (INTERPRETER_BYTES + self.own_bytes)
        matrices = observer_matrices(self.n_equations)
        watching = min(here, observers(self.dimension, n_ranks, machine_bytes(), matrices))
        observing = self.n_stepped * (self.n_times + 1.0) * here / n_ranks + watching * matrices
        largest = self._once + max(self._spread * here / n_ranks, observing)
        krylov = here * (_REPLICATED + _KRYLOV_VECTORS / n_ranks) if self.krylov else 0.0
        return interpreters + self._square * max(largest, self._preparing, krylov)

    def stack_bytes(self, samples: int) -> float:
        """Peak of a rank that advances a stack of small samples, a rank a sample."""
        # scripts/bench.py: of two equations 2.2 N² an output time and about 55 beside.
        largest = samples * (1.5 * self.n_equations * self.n_times + 70.0 * self.n_stepped)
        krylov = _REPLICATED + _KRYLOV_VECTORS if self.krylov else 0.0
        # What multiplies ρ, and what it is made of.
        baths = 2.0 * samples * self.baths.table_bytes
        return INTERPRETER_BYTES + self.own_bytes + baths + self._square * max(largest, krylov)


def shares_of(equations: Sequence[Equation], facts: SystemFacts) -> dict[str, Any]:
    """Fields of an `Extent` that follow from the equations of a call, by name."""
    stepped = [each for each in equations if each.is_stepped]
    full = 2.0 * facts.dimension - 1.0
    rows = [full if each.row_entries is None else each.row_entries(facts) for each in stepped]
    return {
        "n_equations": len(equations),
        "n_stepped": len(stepped),
        "has_spectrum": any(each.needs_spectrum for each in equations),
        "own_bytes": sum(each.own_bytes(facts) for each in stepped if each.own_bytes is not None),
        "row_share": max(rows, default=full) / full,
    }


def check_room(name: str, extent: Extent, n_ranks: int, groups_here: int, here: int) -> None:
    """Raise ValueError when a machine with `here` of each group's ranks has no room for it."""
    if extent.is_shared(n_ranks):
        needed = groups_here * extent.node_bytes(n_ranks, here)
    else:
        needed = groups_here * extent.stack_bytes(1)
    room = machine_bytes()
    if needed > room:
        raise InputError(
            f"{name}: {extent.dimension} states and {extent.n_times} output times with {n_ranks} "
            f"rank(s) a sample, {groups_here * here} rank(s) on this machine, need about "
            f"{needed / 2**30:.3g} GiB, it has {room / 2**30:.3g} GiB: use more machines, more "
            "ranks a sample (group_size), fewer ranks a machine or fewer output times"
        )
