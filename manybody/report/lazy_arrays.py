"""Arrays of xarray whose samples lie in many files, each read when one of its samples is used."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core.indexing import IndexingSupport, explicit_indexing_adapter


class BlockArray(BackendArray):
    """One variable of all samples of a point.

    places: (file, rows of it) one after another; order: (n,) places of the samples in that
    sequence as they are to come; shape, dtype: of one sample; read: file -> all its rows.
    """

    def __init__(
        self,
        places: Sequence[tuple[Path, NDArray[np.intp]]],
        order: NDArray[np.intp],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        read: Callable[[Path], NDArray[Any]],
    ) -> None:
        self.shape, self.dtype = (len(order), *shape), np.dtype(dtype)
        self._places, self._read = places, read
        lengths = [len(rows) for _, rows in places]
        self._file = np.repeat(np.arange(len(places)), lengths)[order]
        self._row = np.concatenate([rows for _, rows in places])[order]

    def __getitem__(self, key: Any) -> Any:
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.OUTER, self._outer)

    def _outer(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Every axis indexed on its own: by a number, a slice or an array."""
        wanted = np.arange(self.shape[0])[key[0]]
        rows = np.atleast_1d(wanted)
        found = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        for index in np.unique(self._file[rows]):
            here = np.flatnonzero(self._file[rows] == index)
            found[here] = self._read(self._places[index][0])[self._row[rows[here]]]
        for axis in range(len(key) - 1, 0, -1):
            found = found[(slice(None),) * axis + (key[axis],)]
        return found if np.ndim(wanted) else found[0]
