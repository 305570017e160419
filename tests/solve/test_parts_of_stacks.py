"""Stacks of small samples: what is made once for all of them."""

import numpy as np

import manybody as mb
from manybody.physics.equations import universal_lindblad
from manybody.physics.problem import Problem


def test_a_stack_is_not_made_anew_for_its_parts(bath, monkeypatch):
    models = [mb.dirac_syk2(5, seed=seed) for seed in range(4)]
    names, made = ("redfield", "davies", "universal-lindblad"), [0]
    original = universal_lindblad.lamb_shifts

    def lamb_shifts(problem):
        made[0] += problem.n_samples
        return original(problem)

    monkeypatch.setattr(universal_lindblad, "lamb_shifts", lamb_shifts)
    whole = Problem(models, bath, True)
    generator = universal_lindblad.universal_lindblad_of(whole)
    parts = [whole.select(np.array([2, 0])), whole.sample(3)]
    for part, indices in zip(parts, ([2, 0], [3])):
        chosen = universal_lindblad.universal_lindblad_of(part)
        anew = universal_lindblad._build(Problem([models[k] for k in indices], bath, True))
        np.testing.assert_array_equal(chosen.local, anew.local)
        np.testing.assert_array_equal(chosen.spectral_box, generator.spectral_box[indices])
        np.testing.assert_array_equal(chosen.spectral_box, anew.spectral_box)
        np.testing.assert_array_equal(chosen.spectral_outline, anew.spectral_outline)
    # Of the whole, and of what is compared with it.
    assert made[0] == 4 + 3
    mb.compare_ensemble(models, bath, [0.0, 3.0], lamb_shift=True, equations=names)
    assert made[0] == 4 + 3 + 4
