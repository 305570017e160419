"""What a store that was disturbed is compared by: for scripts/soak.py and the tests."""

import numpy as np

from manybody.study.block_files import CorruptBlock


def contents(store):
    """({(point, sample): {name: value}}, samples in more than one file, problems)."""
    found, problems, held = {}, [], 0
    study = store.study
    for point in study.wanted:
        blocks, wrong = store.read(study, point)
        problems += wrong
        for path in store.block_paths(point):
            first, stop = path.stem.split("-")[:2]
            held += int(stop) - int(first)
        for block in blocks:
            for row, sample in enumerate(block.samples):
                found[point.name, int(sample)] = values_of(store, block, row)
    return found, held - len(found), problems


def differing(store, expected):
    """Samples of all blocks whose bits are not the expected ones; of two blocks both count."""
    study, count = store.study, 0
    for point in study.wanted:
        for path in store.block_paths(point):
            try:
                block = store.kind.read_block(path, study, point)
            except CorruptBlock:
                # One of the problems that reading the store tells of.
                continue
            for row, sample in enumerate(block.samples):
                own = values_of(store, block, row)
                wanted = expected.get((point.name, int(sample)), {})
                count += own.keys() != wanted.keys() or not all(
                    np.array_equal(value, wanted[name], equal_nan=True)
                    for name, value in own.items()
                )
    return count


def values_of(store, block, row):
    """{name: value} of a sample of a block, but for the time that it took."""
    values = {name: array[row] for name, array in block.arrays.items() if name != "seconds"}
    return values | block.results if store.kind.counted == "cases" else values


def leftovers(out):
    """Files and folders that a complete store does not have."""
    wanted = {"blocks", "report", "study.json", "study.toml"}
    kinds = {".h5", ".json", ".toml", ".csv"}
    return [
        str(path.relative_to(out))
        for path in out.rglob("*")
        if path.relative_to(out).parts[0] not in wanted
        or (path.is_file() and (path.suffix not in kinds or path.name.startswith(".")))
    ]
