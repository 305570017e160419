"""A curve of a paper as its cases compute it."""

import numpy as np


def curve(cases, figure, over, ends, points, spacing="linear", **given):
    """The lists of one case as arrays."""
    first, last = ends
    run = {"from": first, "to": last, "points": points, "spacing": spacing}
    results = cases.compute({}, {"figure": figure, "over": over, **run, **given})
    return {name: np.array(values) for name, values in results.items()}
