"""Site graphs."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manybody.physics import arguments

BOUNDARIES = ("periodic", "open")


class Lattice(Protocol):
    """Where the sites of a model lie."""

    def distances(self) -> NDArray[Any]:
        """(N, N) symmetric, >= 0, zero on the diagonal; in bonds, or any other unit."""


@dataclass(frozen=True)
class Cube:
    """L x L x L sites; site (x, y, z) has index (x L + y) L + z.

    length: L >= 1; boundary: "periodic" or "open".  Raises TypeError or ValueError.
    """

    length: int
    boundary: str

    def __post_init__(self) -> None:
        arguments.integer("length", self.length, 1)
        arguments.choice("boundary", self.boundary, BOUNDARIES)

    def bonds(self) -> NDArray[np.intp]:
        """Nearest-neighbour bonds, each once: (n_bonds, 2) site indices, the smaller one first.

        With periodic boundaries at L = 2 the bond inside the cube and the one around it are
        the same and are counted once (coordination 3); at L = 1 there are none.
        """
        length = self.length
        sites = np.arange(length**3).reshape(length, length, length)
        pairs = []
        for axis in range(3):
            neighbours = np.roll(sites, -1, axis=axis)
            keep = [slice(None)] * 3
            if self.boundary == "open" or length == 2:
                keep[axis] = slice(0, length - 1)
            elif length == 1:
                keep[axis] = slice(0, 0)
            here, there = sites[tuple(keep)].ravel(), neighbours[tuple(keep)].ravel()
            pairs.append(np.stack([np.minimum(here, there), np.maximum(here, there)], axis=1))
        return np.concatenate(pairs)

    def distances(self) -> NDArray[np.intp]:
        """(N, N) least number of bonds between sites, the shorter way round where periodic."""
        length = self.length
        steps = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
        if self.boundary == "periodic":
            steps = np.minimum(steps, length - steps)
        total = (
            steps[:, None, None, :, None, None]
            + steps[None, :, None, None, :, None]
            + steps[None, None, :, None, None, :]
        )
        distances: NDArray[np.intp] = total.reshape(length**3, length**3)
        return distances
