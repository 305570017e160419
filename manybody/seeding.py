"""(study seed, model, parameters, size, sample) -> random numbers; never sees a rank."""

import hashlib
import json
from collections.abc import Mapping

import numpy as np


def sample_entropy(
    seed: int, model: str, parameters: Mapping[str, float | str], size: int, sample: int
) -> tuple[int, ...]:
    """Four 64-bit words that name one disorder sample, equal on every machine.

    The first 256 bits of the SHA-256 of the arguments written as canonical JSON.
    """
    text = json.dumps(
        [int(seed), model, dict(parameters), int(size), int(sample)],
        sort_keys=True,
        separators=(",", ":"),
    )
    digest = hashlib.sha256(text.encode()).digest()
    return tuple(int.from_bytes(digest[start : start + 8], "big") for start in range(0, 32, 8))


def generator(entropy: tuple[int, ...]) -> np.random.Generator:
    """The generator that draws the disorder of one sample."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
