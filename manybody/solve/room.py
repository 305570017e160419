"""How much memory a sample takes, and how much a machine has."""

from dataclasses import dataclass

from manybody.errors import InputError
from manybody.numerics.protocols import Stepper
from manybody.numerics.steppers import Assembled, MatrixFree, find_operator, find_stepper
from manybody.solve.monitor import observer_matrices, observers
from manybody.solve.stacked import is_large
from manybody.system.memory import machine_bytes

# An interpreter with the libraries and the buffers of BLAS.
INTERPRETER_BYTES = 120 << 20
# Steady states and slow modes: vectors of GMRES within those of Krylov-Schur, spread, and
# what every rank keeps for itself of H, V and the preconditioner.
_KRYLOV_VECTORS, _REPLICATED = 85.0, 14.0
# Rank 0 before there is anything else: eigenvectors and what follows from them.
_PREPARING = 8.0


@dataclass(frozen=True)
class Extent:
    """What the memory of one sample depends on, all output times in one segment.

    n_sites, n_times: N and T; is_real: whether H is; krylov: whether steady states or slow
    modes are sought too; n_equations, n_stepped: how many are compared, and how many of them are
    stepped; the rest as in `compare`.
    """

    n_sites: int
    n_times: int
    is_real: bool
    lamb_shift: bool
    stepper: str | Stepper
    operator: str | MatrixFree | Assembled
    krylov: bool = False
    n_equations: int = 2
    n_stepped: int = 1

    def is_shared(self, n_ranks: int) -> bool:
        """Whether the sample is spread."""
        return is_large(self.n_sites) or n_ranks > 1 or find_operator(self.operator).spread

    @property
    def _square(self) -> float:
        """Bytes of a complex N x N array."""
        return 16.0 * self.n_sites**2

    @property
    def _once(self) -> float:
        """Arrays kept once a node: V, G, what multiplies ρ alone, |⟨l|A_j|k⟩|²."""
        split = self.is_real and not self.lamb_shift
        vectors = 0.5 if self.is_real else 1.0
        return vectors + (1.0 if self.lamb_shift else 0.5) + (0.5 if split else 1.0) + 0.5

    @property
    def _spread(self) -> float:
        """Arrays over all ranks while a state advances."""
        split = self.is_real and not self.lamb_shift
        vectors = find_stepper(self.stepper).vectors(self.n_sites, self.n_times)
        # Every ρ and its output states; diagonal factors, workspaces, vectors of the stepper.
        arrays = self.n_stepped * (1.0 + self.n_times) + 1.0 + (3.0 if split else 2.0) + vectors
        return arrays + find_operator(self.operator).arrays(self.n_sites)

    def rank_bytes(self, n_ranks: int) -> float:
        """Peak of the fullest of `n_ranks` ranks, with what its node shares."""
        return self.node_bytes(n_ranks, 1)

    def node_bytes(self, n_ranks: int, here: int) -> float:
        """Peak of a machine that has `here` of the `n_ranks` ranks of a sample."""
        interpreters = here * INTERPRETER_BYTES
        matrices = observer_matrices(self.n_equations)
        watching = min(here, observers(self.n_sites, n_ranks, machine_bytes(), matrices))
        observing = self.n_stepped * (self.n_times + 1.0) * here / n_ranks + watching * matrices
        largest = self._once + max(self._spread * here / n_ranks, observing)
        krylov = here * (_REPLICATED + _KRYLOV_VECTORS / n_ranks) if self.krylov else 0.0
        return interpreters + self._square * max(largest, _PREPARING, krylov)

    def stack_bytes(self, samples: int) -> float:
        """Peak of a rank that advances a stack of small samples, a rank a sample."""
        # scripts/bench.py: of two equations 2.2 N² an output time and about 55 beside.
        largest = samples * (1.5 * self.n_equations * self.n_times + 70.0 * self.n_stepped)
        krylov = _REPLICATED + _KRYLOV_VECTORS if self.krylov else 0.0
        return INTERPRETER_BYTES + self._square * max(largest, krylov)


def check_room(name: str, extent: Extent, n_ranks: int, groups_here: int, here: int) -> None:
    """Raise ValueError when a machine with `here` of each group's ranks has no room for it."""
    if extent.is_shared(n_ranks):
        needed = groups_here * extent.node_bytes(n_ranks, here)
    else:
        needed = groups_here * extent.stack_bytes(1)
    room = machine_bytes()
    if needed > room:
        raise InputError(
            f"{name}: {extent.n_sites} sites and {extent.n_times} output times with {n_ranks} "
            f"rank(s) a sample, {groups_here * here} rank(s) on this machine, need about "
            f"{needed / 2**30:.3g} GiB, it has {room / 2**30:.3g} GiB: use more machines, more "
            "ranks a sample (group_size), fewer ranks a machine or fewer output times"
        )
