"""scripts/bench.py on further equations: a sample of each over one of Redfield, in one run."""

import numpy as np
from bench_rows import record, rounds_of, say
from bench_systems import BATH

import manybody as mb
from manybody.physics.equations.universal_lindblad import lamb_shifts
from manybody.physics.problem import Problem

NAMES = ("universal-lindblad", "partial-secular", "partial-secular-0.1", "local")
TIMES = np.linspace(0.0, 50.0, 26)


def equations(quick):
    """Whole samples, Davies beside each, to t = 50; and the shifts f(p, q) alone."""
    say("\n(g) further equations: a sample with Davies, t <= 50, over one of Redfield")
    for length in (3,) if quick else (3, 4):
        models = mb.dirac_syk2(length**3, seed=1), mb.anderson3d(length, 5.0, seed=1)
        for model in models:
            for lamb_shift in (False, True):
                _samples(model, lamb_shift, 1 if quick else 3)


def _samples(model, lamb_shift, rounds):
    def sample(name):
        return mb.compare(model, BATH, TIMES, lamb_shift=lamb_shift, equations=(name, "davies"))

    seconds = rounds_of(
        {name: lambda name=name: sample(name) for name in ("redfield", *NAMES)}, rounds
    )
    words = "Lamb shift" if lamb_shift else "no Lamb shift"
    title = f"{model.name} N={model.n_sites} {words}"
    for name in NAMES:
        ratio = seconds[name] / seconds["redfield"]
        text = record(
            "equations", f"{title} {name}", ratio, "", "lower", dimension=model.dimension
        )
        say(f"  {title:<32} {name:<20} {text} Redfield samples")
    if lamb_shift:
        problem = Problem([model], BATH, True)
        each = rounds_of({"shifts": lambda: lamb_shifts(problem)}, rounds)["shifts"]
        text = record("equations", f"{title} shifts", each, "s", "lower")
        say(f"  {title:<32} {'H_LS alone':<20} {text}")
