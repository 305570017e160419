"""The store of a study of samples."""

from pathlib import Path

from manybody.study.block_store import BlockStore
from manybody.study.blocks import Block, Record
from manybody.study.configuration import Point, Study
from manybody.study.sample_kind import SAMPLES


class Store(BlockStore[Study, Point, Record, Block]):
    """A folder of disorder samples, see `block_store`."""

    def __init__(self, directory: str | Path) -> None:
        super().__init__(directory, SAMPLES)
