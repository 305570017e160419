"""CPU time of imports in fresh processes, against what NumPy and SciPy take: medians.

python scripts/bench_import.py [ROUNDS]
"""

import resource
import statistics
import subprocess
import sys

BASE = "import numpy, scipy.sparse, scipy.linalg"
CASES = [
    "import manybody",
    "import manybody as mb; mb.dirac_syk2; mb.OhmicBath",
    "import manybody as mb; mb.compare",
    "import manybody as mb; mb.open_store",
]


def seconds(code):
    """CPU seconds of a fresh interpreter that runs this, itself included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    """A line a case: median, and its ratio to that of NumPy and SciPy alone."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    # In turn, since other loads come and go.
    found = [[seconds(code) for code in (BASE, *CASES)] for _ in range(rounds)]
    medians = [statistics.median(own) for own in zip(*found)]
    for code, median in zip((BASE, *CASES), medians):
        print(f"{median:7.3f} s {median / medians[0]:6.2f}  {code}")


if __name__ == "__main__":
    main()
