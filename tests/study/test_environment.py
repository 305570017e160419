"""The description of the machine: complete, cheap, and blind to a broken MPI or PETSc."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

import manybody
from manybody.system import blas, doctor, environment
from manybody.system.blas import ProductRate

# Each package as a module that fails to import, and no metadata either.
BLOCKER = """
import importlib.abc
import importlib.metadata
import os
import sys

blocked = os.environ["BLOCKED_PACKAGES"].split(",")

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
version = importlib.metadata.version

def version_unless_blocked(name):
    if name in blocked:
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)

if os.environ.get("BLOCK_METADATA"):
    importlib.metadata.version = version_unless_blocked
"""

# What the machine can do is measured in another test.
REPORT = """
from manybody.system import doctor
doctor.measure_product_rates = lambda: []
print("\\n".join(doctor.doctor_report()))
"""


def in_fresh_python(code, tmp_path, **variables):
    """Standard output of `code`, with `tmp_path` first on the path so that it may shadow."""
    root = str(Path(environment.__file__).parents[1])
    completed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), root]), **variables},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def doctor_without(blocked, tmp_path, metadata=True):
    # sitecustomize reaches the interpreters that doctor_report starts as well
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    return in_fresh_python(
        REPORT,
        tmp_path,
        BLOCKED_PACKAGES=",".join(blocked),
        BLOCK_METADATA="1" if metadata else "",
    )


def test_describe_is_flat_complete_and_a_copy():
    facts = environment.describe()
    assert set(facts) == {
        "manybody",
        "git_revision",
        "python",
        "numpy",
        "scipy",
        "h5py",
        "petsc4py",
        "slepc4py",
        "mpi4py",
        "qutip",
        "blas",
        "blas_version",
        "blas_core",
        "blas_threads",
        "hostname",
        "cpu_model",
        "logical_cores",
        "scipy_blas",
        "scipy_blas_version",
        "scipy_blas_core",
    }
    assert all(isinstance(value, str | int) and value != "" for value in facts.values())
    assert facts["numpy"] == numpy.__version__
    assert facts["logical_cores"] >= 1
    json.dumps(facts)
    facts["numpy"] = "changed"
    assert environment.describe()["numpy"] == numpy.__version__


def test_describe_starts_neither_mpi_nor_petsc(tmp_path):
    # The module by its file: what manybody/__init__.py imports is not the question here.
    loaded = in_fresh_python(
        f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("environment", {environment.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.describe()
print([name for name in ("petsc4py", "slepc4py", "mpi4py") if name in sys.modules])
""",
        tmp_path,
    )
    assert loaded.strip() == "[]"


def test_describe_is_cheap():
    environment._describe.cache_clear()
    begin = time.process_time()
    environment.describe()
    assert time.process_time() - begin < 0.2


def test_blas_is_numpys_own():
    def entry(path, core):
        return {"filepath": path, "architecture": core}

    scipys = entry("/x/numpy-work/site-packages/scipy.libs/libopenblas-1.so", "Haswell")
    numpys = entry("/x/scipy/site-packages/numpy.libs/libopenblas64_-2.so", "SkylakeX")
    systems = entry("/usr/lib/openblas-pthread/libopenblas.so.0", "Zen")
    assert blas._blas_of("numpy", [scipys, systems, numpys]) is numpys
    assert blas._blas_of("scipy", [numpys, systems, scipys]) is scipys
    assert blas._blas_of("numpy", [scipys, systems]) is systems
    assert blas._blas_of("numpy", []) is None


@pytest.mark.parametrize(
    ("core", "flags", "expected"),
    [
        ("Prescott", "avx2 fma avx512f avx512cd avx512bw avx512dq avx512vl", ("SkylakeX", True)),
        ("Haswell", "avx2 fma avx512f avx512cd avx512bw avx512dq avx512vl", ("SkylakeX", False)),
        ("Cooperlake", "avx2 fma avx512f avx512cd avx512bw avx512dq avx512vl", ("", False)),
        ("Prescott", "avx2 fma", ("Haswell", True)),
        ("Prescott", "sse3", ("", False)),
        ("Zen", "avx2 fma", ("", False)),
    ],
)
def test_core_type_fits_the_cpu(core, flags, expected, monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    chosen = {"name": "openblas", "version": "0.3", "core": core, "threads": 1}
    assert blas.better_core_type(chosen, set(flags.split())) == expected
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert blas.better_core_type(chosen, set(flags.split())) == ("", False)


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@localhost", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_the_package_is_this_one():
    assert Path(manybody.__file__).resolve().parent == environment.PACKAGE


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_revision_is_that_of_the_package(tmp_path, monkeypatch):
    package = tmp_path / "manybody"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(environment, "PACKAGE", package)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert environment._git_revision() == "unknown"

    git(tmp_path, "init", "-q")
    assert environment._git_revision() == "unknown"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    revision = environment._git_revision()
    assert len(revision) >= 40 and not revision.endswith("-dirty")
    (tmp_path / "notes.txt").write_text("not part of the package")
    assert environment._git_revision() == revision
    (package / "__init__.py").write_text("changed = True")
    assert environment._git_revision() == revision + "-dirty"

    installed = tmp_path / "venv" / "manybody"
    installed.mkdir(parents=True)
    monkeypatch.setattr(environment, "PACKAGE", installed)
    assert environment._git_revision() == "unknown"


def test_doctor_without_petsc_and_mpi_says_what_that_costs(tmp_path):
    report = doctor_without(["petsc4py", "slepc4py", "mpi4py", "matplotlib"], tmp_path)
    assert "petsc4py is not installed" in report
    for lost in ("steady states", "gaps", "level statistics", "'assembled'", "ts-* and mfn-*"):
        assert lost in report
    assert "mpi4py is not installed" in report
    assert "one process" in report
    assert "matplotlib: not installed" in report


def test_doctor_survives_packages_that_do_not_load(tmp_path):
    for name in ("petsc4py", "mpi4py"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import os; os.abort()")
    report = in_fresh_python(REPORT, tmp_path)
    assert report.count("does not work") == 2
    assert "no Redfield steady states" in report


def test_doctor_refuses_real_scalars(tmp_path):
    (tmp_path / "petsc4py").mkdir()
    (tmp_path / "petsc4py" / "__init__.py").write_text(
        "__version__ = '3.99.0'\ndef init(args): pass\n"
    )
    (tmp_path / "petsc4py" / "PETSc.py").write_text(
        "import numpy\n"
        "ScalarType, IntType = numpy.float64, numpy.int64\n"
        "class Sys:\n"
        "    @staticmethod\n"
        "    def getVersion(): return (3, 99, 0)\n"
    )
    report = in_fresh_python(REPORT, tmp_path)
    assert "scalars float64, 64-bit indices: refused" in report
    assert "no steppers ts-* and mfn-*" in report
    assert "MUMPS" not in report


def test_a_probe_that_hangs_is_given_up():
    found, failure = doctor._probe("import time; time.sleep(60)", timeout=0.5)
    assert found is None
    assert "does not answer" in failure


def test_probes_do_not_inherit_a_launcher(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    monkeypatch.setenv("PMIX_RANK", "1")
    found, _ = doctor._probe(
        "import json, os\n"
        "names = [k for k in os.environ if k.startswith(('OMPI_', 'PMI'))]\n"
        "print('manybody-probe:' + json.dumps(names))"
    )
    assert found == []


def test_doctor_measures_and_prints_the_line_to_export(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    rates = [
        ProductRate("", "SkylakeX", "Prescott", 81.0, 71.0, 17.0),
        ProductRate("Haswell", "Haswell", "Haswell", 45.0, 44.0, 44.0),
        ProductRate("SkylakeX", "SkylakeX", "SkylakeX", 80.0, 70.0, 78.0),
        ProductRate("Cooperlake", "Cooperlake", "Cooperlake", 82.0, 71.0, 79.0),
    ]
    text = "\n".join(doctor._rate_lines(rates))
    assert "own choice, SkylakeX / Prescott         81.0      71.0            17.0" in text
    assert "1.0 times faster (NumPy's 4.6 times):  export OPENBLAS_CORETYPE=SkylakeX" in text
    assert "export" not in "\n".join(doctor._rate_lines(rates[:1]))
    monkeypatch.setenv("OPENBLAS_CORETYPE", "skylakex")
    text = "\n".join(doctor._rate_lines(rates))
    assert "export" not in text and "nothing here is faster" in text
    # What was exported elsewhere may be worse than the library's own choice.
    worse = ProductRate("SkylakeX", "SkylakeX", "Prescott", 81.0, 71.0, 17.0)
    own = ProductRate("", "Cooperlake", "Cooperlake", 82.0, 71.0, 79.0)
    text = "\n".join(doctor._rate_lines([own, worse]))
    assert "(NumPy's 4.6 times):  unset OPENBLAS_CORETYPE" in text and "export" not in text
    assert "could not be measured" in doctor._rate_lines([])[0]


def test_rates_are_measured_in_fresh_processes():
    rates = blas.measure_product_rates()
    assert rates[0].asked == ""
    figures = [(rate.complex, rate.real, rate.numpy) for rate in rates]
    assert all(0.05 < figure < 1e4 for three in figures for figure in three)
    assert all(rate.asked in (rate.core, rate.numpy_core) for rate in rates[1:])
    assert len({rate.asked for rate in rates}) == len(rates)


def test_one_blas_thread_unless_somebody_chose(monkeypatch):
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return {entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"}

    for name in blas._THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with blas.blas_threads():
            assert threads() == {1}
        assert threads() == before
        with blas.blas_threads(2), blas.blas_threads():
            assert threads() == before
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
        with blas.blas_threads():
            assert threads() == before


def test_quota_of_a_container(tmp_path):
    assert blas._quota(tmp_path) > 1 << 20
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert blas._quota(tmp_path) > 1 << 20
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert blas._quota(tmp_path) == 2
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert blas._quota(tmp_path) == 1
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert blas._quota(tmp_path) == 3
    assert 1 <= blas.usable_cores() <= (os.cpu_count() or 1)


def test_crowding_is_named():
    many = 1 << 30
    bound = [("a", frozenset({0}), many), ("a", frozenset({1}), many)]
    assert blas.crowding(1, bound) == ""
    assert "2 rank(s) x 2 BLAS thread(s) on a share 2 core(s)" in blas.crowding(2, bound)
    free = [("a", frozenset(range(4)), 3)] * 3
    assert blas.crowding(1, free) == ""
    assert "share 3 core(s)" in blas.crowding(2, free)
    assert "share 1 core(s)" in blas.crowding(1, [("b", frozenset({5}), many)] * 2)
    assert blas.crowding(1, [("a", frozenset({0}), many), ("b", frozenset({0}), many)]) == ""
    assert blas.crowding(1, [blas.own_cores("here")]) == ""
