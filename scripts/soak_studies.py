"""Studies that are disturbed, long enough for kills or short enough for faults: texts alone."""

# Every number of a theorem's study but what is asked for, which takes the time.
_THEOREM = """
name = "NAME"
kind = "theorem"
seed = 3
strength = 0.2
coupling_change = 0.01
beta_ratio = 0.5

[fermion]
density = "semi-elliptic"
height = 1.0
half_width = 20.0
beta = 2.0
chemical_potential = 0.3

[boson]
density = "ohmic"
coupling = 0.5
cutoff = 10.0
beta = 0.5
lowest_level = 0.5

[[systems]]
model = "dirac_syk2"
ASKED

[outputs]
formats = ["csv"]
"""


def theorem_text(name, *asked):
    """The text of a study of this name; asked: lines of its systems, from their sizes on."""
    return _THEOREM.replace("NAME", name).replace("ASKED", "\n".join(asked))


# Stacks of small samples and long ones with checkpoints: a few seconds.
SAMPLES = """
name = "soak"
seed = 11
samples = 9
times = { start = 0.0, stop = 30.0, count = 16 }
block_size = 3
group_size = 1

[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0

[[systems]]
model = "dirac_syk2"
n_sites = [8, 16, 48]

[[systems]]
model = "anderson3d"
length = [2, 3]
disorder = 5.0

[outputs]
formats = ["csv"]
"""
CASES = theorem_text(
    "soak-cases", "n_sites = [3, 200]", "samples = 10", 'checks = ["equal", "one_coupling"]'
)
STUDIES = {"samples": SAMPLES, "cases": CASES}
# A fraction of a second each.
SHORT_SAMPLES = """
name = "faults"
seed = 5
samples = 2
times = [0.0, 0.2, 0.4]
block_size = 1

[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0

[[systems]]
model = "dirac_syk2"
n_sites = 4

[[systems]]
model = "anderson3d"
length = 3
disorder = 5.0
samples = 1

[convergence]
samples = 1
tolerance = [1e-6]

[outputs]
formats = ["csv"]
"""
SHORT_CASES = theorem_text("faults-cases", "n_sites = 3", 'checks = ["equal"]')
SHORT_STUDIES = {"samples": SHORT_SAMPLES, "cases": SHORT_CASES}
