"""Which ranks share a sample, and whether a machine is up to a study; no MPI, no files."""

from collections.abc import Sequence

from manybody.errors import InputError, Unavailable
from manybody.numerics.steppers import build_stepper, find_stepper, require_operator
from manybody.solve.observables.registry import chosen
from manybody.solve.room import check_room
from manybody.solve.stacked import is_large
from manybody.study.configuration import Point, Study
from manybody.study.cost import FEWEST_COLUMNS, check_possible, extent_of
from manybody.study.kind import Task
from manybody.system.memory import machine_bytes, ranks_here


def group_sizes(study: Study, tasks: Sequence[Task[Point]], n_ranks: int) -> dict[Point, int]:
    """Ranks that share a sample, point by point: what the study says, or the cost model.

    As few as the memory of this machine needs; more for a large system with fewer blocks
    left than there are ranks, as long as each has enough columns for good products.
    """
    blocks: dict[Point, int] = {}
    for task in tasks:
        blocks[task.point] = blocks.get(task.point, 0) + 1
    return {point: _group_size(study, point, count, n_ranks) for point, count in blocks.items()}


def planned_sizes(study: Study, n_ranks: int) -> dict[Point, int]:
    """`group_sizes` of a whole study."""
    found = {}
    for point, count in study.wanted.items():
        n_blocks = -(-count // study.samples_in_block(point))
        found[point] = _group_size(study, point, n_blocks, n_ranks)
    return found


def _group_size(study: Study, point: Point, n_blocks: int, n_ranks: int) -> int:
    widest = min(n_ranks, point.dimension)
    if study.group_size is not None:
        return min(study.group_size, widest)
    if find_stepper(study.stepper).one_rank:
        return 1
    extent, room, size = extent_of(study, point), machine_bytes(), 1
    while size < widest and extent.is_shared(size + 1):
        groups, here = _on_this_machine(size, n_ranks)
        needed = extent.node_bytes(size, here) if extent.is_shared(size) else extent.stack_bytes(1)
        if groups * needed <= room:
            break
        size += 1
    if is_large(point.dimension):
        spare = n_ranks // n_blocks
        size = max(size, min(spare, point.dimension // FEWEST_COLUMNS, widest))
    return size


def _on_this_machine(group_size: int, n_ranks: int) -> tuple[int, int]:
    """(groups with ranks here, ranks here of each)."""
    here = ranks_here(n_ranks)
    # As group_of does it: ranks left over make groups larger.
    groups = max(1, here // group_size)
    return groups, -(-here // groups)


def check_feasible(study: Study, n_ranks: int = 1) -> None:
    """Raise ValueError when a size cannot fit into this machine's memory or would never end."""
    sizes = planned_sizes(study, n_ranks)
    # What is far too large is named first.
    for point, size in sorted(sizes.items(), key=lambda own: -own[0].dimension):
        check_possible(study, point)
        groups, here = _on_this_machine(size, n_ranks)
        check_room(point.name, extent_of(study, point), size, groups, here)


def check_libraries(study: Study) -> None:
    """Raise ValueError when the study needs a PETSc or SLEPc that this machine has not.

    Also for PETSc options that PETSc refuses: their names and values are its own.
    """
    try:
        build_stepper(study.stepper, study.tolerance, study.petsc_options)
        require_operator(study.operator)
    except Unavailable as error:
        raise InputError(str(error)) from error
    for each in chosen(study.observables):
        try:
            each.library()
        except Unavailable as error:
            raise InputError(f"observables: {each.name!r}: {error}") from error
