"""Site graphs."""

import numpy as np
from numpy.typing import NDArray

BOUNDARIES = ("periodic", "open")


def cubic_bonds(length: int, boundary: str) -> NDArray[np.intp]:
    """Nearest-neighbour bonds of an L x L x L cube, each bond once.

    Site (x, y, z) has index (x L + y) L + z.  With periodic boundaries at
    L = 2 the bond inside the cube and the one around it are the same and are
    counted once (coordination 3); at L = 1 there are none.

    Returns (n_bonds, 2) site indices, first index of a pair the smaller one.
    """
    sites = np.arange(length**3).reshape(length, length, length)
    pairs = []
    for axis in range(3):
        neighbours = np.roll(sites, -1, axis=axis)
        keep = [slice(None)] * 3
        if boundary == "open" or length == 2:
            keep[axis] = slice(0, length - 1)
        elif length == 1:
            keep[axis] = slice(0, 0)
        here, there = sites[tuple(keep)].ravel(), neighbours[tuple(keep)].ravel()
        pairs.append(np.stack([np.minimum(here, there), np.maximum(here, there)], axis=1))
    return np.concatenate(pairs)


def cubic_distances(length: int, boundary: str) -> NDArray[np.intp]:
    """(N, N) least number of bonds between sites of an L x L x L cube, numbered as above.

    length: L >= 1; boundary: "periodic" (the shorter way round) or "open".
    """
    steps = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    if boundary == "periodic":
        steps = np.minimum(steps, length - steps)
    total = (
        steps[:, None, None, :, None, None]
        + steps[None, :, None, None, :, None]
        + steps[None, None, :, None, None, :]
    )
    return total.reshape(length**3, length**3)
