"""Underflow on purpose: what decays far out is zero there, whatever np.seterr says."""

import functools
from collections.abc import Callable
from typing import TypeVar

import numpy as np

Function = TypeVar("Function", bound=Callable[..., object])


def zero_where_tiny(function: Function) -> Function:
    """The function with underflow to zero allowed: Boltzmann factors, tails of spectra, weights
    of states that are never occupied.  Overflow, division by zero and nan stay what they are.
    """

    @functools.wraps(function)
    def wrapped(*args: object, **kwargs: object) -> object:
        # As NumPy begins; what is set and restored again takes longer than many a function.
        if np.geterr()["under"] == "ignore":
            return function(*args, **kwargs)
        with np.errstate(under="ignore"):
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]
