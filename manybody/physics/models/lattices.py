"""Site graphs."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manybody.physics import arguments

BOUNDARIES = ("periodic", "open")


class Lattice(Protocol):
    """Where the sites of a model lie.

    Examples
    --------
    >>> import manybody as mb
    >>> mb.anderson_bar(length=4, disorder=1.0).lattice.distances()[0]
    array([0, 1, 2, 3])
    """

    def distances(self) -> NDArray[Any]:
        """Distances of all sites from each other.

        Returns
        -------
        (N, N) array
            Symmetric, >= 0, zero on the diagonal; in bonds, or any other unit.
        """


@dataclass(frozen=True)
class Chain:
    """N sites in a row; site j is next to j ± 1.

    n_sites: N >= 1; boundary: "periodic" or "open".  Raises TypeError or ValueError.
    """

    n_sites: int
    boundary: str

    def __post_init__(self) -> None:
        arguments.integer("n_sites", self.n_sites, 1)
        arguments.choice("boundary", self.boundary, BOUNDARIES)

    def bonds(self) -> NDArray[np.intp]:
        """Nearest-neighbour bonds, each once: (n_bonds, 2) site indices, the smaller one first.

        Along the chain; the one around it, (0, N − 1), comes last.  With periodic boundaries
        at N = 2 both ways round are one bond, as in `Cube`.
        """
        here = np.arange(self.n_sites - 1)
        inside: NDArray[np.intp] = np.stack([here, here + 1], axis=1)
        if self.boundary == "open" or self.n_sites <= 2:
            return inside
        return np.concatenate([inside, [[0, self.n_sites - 1]]])

    def distances(self) -> NDArray[np.intp]:
        """(N, N) least number of bonds between sites, the shorter way round where periodic."""
        return _steps(self.n_sites, self.boundary)

    def band(self) -> NDArray[np.float64]:
        """(N,) eigenvalues of its adjacency matrix: energies of one particle at hopping 1."""
        return _band(self.n_sites, self.boundary)


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
        row = _steps(self.length, self.boundary)
        return _added(row, row, row)

    def band(self) -> NDArray[np.float64]:
        """(N,) eigenvalues of its adjacency matrix: energies of one particle at hopping 1."""
        row = _band(self.length, self.boundary)
        total = row[:, None, None] + row[None, :, None] + row[None, None, :]
        band: NDArray[np.float64] = total.ravel()
        return band


@dataclass(frozen=True)
class Bar:
    """L x w x w sites, open along its length; site (x, y, z) has index (x w + y) w + z.

    length: L >= 1; width: w >= 1; boundary: across, "periodic" (at w = 2 each bond counted once)
    or "open".  Raises TypeError or ValueError.
    """

    length: int
    width: int
    boundary: str

    def __post_init__(self) -> None:
        arguments.integer("length", self.length, 1)
        arguments.integer("width", self.width, 1)
        arguments.choice("boundary", self.boundary, BOUNDARIES)

    @property
    def layer(self) -> int:
        """Sites with one x, w²."""
        return self.width**2

    def bonds(self) -> NDArray[np.intp]:
        """Nearest-neighbour bonds, each once: (n_bonds, 2) site indices, the smaller one first.

        Those along the bar come first.
        """
        along = Chain(self.length, "open").bonds()[:, None] * self.layer
        across = Chain(self.width, self.boundary).bonds()
        sites = np.arange(self.length * self.layer).reshape(self.length, self.width, self.width)
        pairs = [(along + np.arange(self.layer)[:, None]).reshape(-1, 2)]
        pairs += [sites[:, across].transpose(0, 1, 3, 2).reshape(-1, 2)]
        pairs += [sites[:, :, across].reshape(-1, 2)]
        found: NDArray[np.intp] = np.concatenate(pairs)
        return found

    def distances(self) -> NDArray[np.intp]:
        """(N, N) least number of bonds between sites."""
        across = _steps(self.width, self.boundary)
        return _added(_steps(self.length, "open"), across, across)

    def ends(self) -> dict[str, NDArray[np.intp]]:
        """Sites of the first and of the last layer, "left" and "right"."""
        sites = np.arange(self.length * self.layer)
        return {"left": sites[: self.layer], "right": sites[-self.layer :]}


def _steps(length: int, boundary: str) -> NDArray[np.intp]:
    """(L, L) bonds between the places of a row."""
    steps: NDArray[np.intp] = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    if boundary == "periodic":
        steps = np.minimum(steps, length - steps)
    return steps


def _added(x: NDArray[np.intp], y: NDArray[np.intp], z: NDArray[np.intp]) -> NDArray[np.intp]:
    """(N, N) bonds between the places of a block, from those along its three edges."""
    total: NDArray[np.intp] = (
        x[:, None, None, :, None, None]
        + y[None, :, None, None, :, None]
        + z[None, None, :, None, None, :]
    )
    n = len(x) * len(y) * len(z)
    return total.reshape(n, n)


def _band(length: int, boundary: str) -> NDArray[np.float64]:
    """(L,) eigenvalues of the adjacency matrix of a row."""
    wave = np.arange(length)
    if boundary == "periodic" and length > 2:
        return np.asarray(2.0 * np.cos(2.0 * np.pi * wave / length))
    return np.asarray(2.0 * np.cos(np.pi * (wave + 1) / (length + 1)))
