"""scripts/bench.py on baths that differ from site to site, over equal ones."""

from functools import partial

import numpy as np
from bench_rows import record, rounds_of, say
from bench_systems import random_models

import manybody as mb
from manybody.arrays import aligned_copy, aligned_empty
from manybody.physics.baths.several import check_baths
from manybody.physics.equations.redfield import build_redfield
from manybody.physics.spectra import build_spectrum


def _sets(n):
    """Baths of n sites, by what differs."""
    first, second = mb.OhmicBath(0.2, 10.0, 5.0), mb.OhmicBath(0.2, 10.0, 2.0)
    return {
        "equal": first,
        "two halves": [first] * (n // 2) + [second] * (n - n // 2),
        "every other": [(first, second)[site % 2] for site in range(n)],
        "six temperatures": [mb.OhmicBath(0.2, 10.0, 1.0 + site % 6) for site in range(n)],
        "strengths": [mb.OhmicBath(0.1 + 0.1 * site / n, 10.0, 5.0) for site in range(n)],
        "all temperatures": [mb.OhmicBath(0.2, 10.0, 1.0 + site / n) for site in range(n)],
    }


def baths(quick):
    """X of the kernel alone, without X†, which does not know of baths."""
    say("\n(h) baths by site: an application over one with equal baths")
    for n in (64, 216):
        for real in (True, False):
            model = random_models(n, real, 1)[0]
            spectrum = build_spectrum([model])
            rho = aligned_copy(np.eye(n, dtype=np.complex128)[None] / n)
            out = aligned_empty(rho.shape, np.complex128)
            kernels = {
                name: build_redfield(spectrum, check_baths(given, model.couplings), False).kernel()
                for name, given in _sets(n).items()
            }
            calls = {name: partial(kernel, rho, out) for name, kernel in kernels.items()}
            seconds = rounds_of(calls, 9 if quick else 25)
            title = f"N={n} {'real' if real else 'complex'}"
            for name in kernels:
                ratio = seconds[name] / seconds["equal"]
                text = record("baths", f"{title} {name}", ratio, "", "lower", n=n, real=real)
                say(f"  {title:<16} {name:<18} {text}")
