"""f(p, q) of the universal Lindblad equation, one pair at a time."""

import numpy as np


def jump_shift(correlator, p, q):
    """f(p, q) in J of a `JumpCorrelator`; arrays of one shape -> that shape."""
    p, q = np.broadcast_arrays(np.asarray(p, dtype=float), q)
    return correlator.shifts(-p.reshape(-1, 1), (p + q).ravel()).reshape(p.shape)[()]
