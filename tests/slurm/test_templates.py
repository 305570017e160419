"""The templates of slurm/ on a real slurmctld: signals, requeues, and the bits of what comes out.

The cluster is this machine (cluster.py).  A requeued job waits in it and runs on when a test
releases it; what a test submits is small, and still running when its signal comes, because the
signal waits for the first of many blocks, or the start of a long one, and what runs rests after
every block and every segment instead of working.
"""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import launching
import pytest

HERE = Path(__file__).parent
# No conftest.py here: another of that name is imported by tests elsewhere.
sys.path[:0] = [str(HERE), str(HERE.parent)]
from cluster import NODES, Cluster, running_cluster, why_not  # noqa: E402
from tiny import assert_same_payload, payload  # noqa: E402

from manybody.study.store import Store  # noqa: E402

ROOT = Path(__file__).parents[2]
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
needs_mpi = pytest.mark.skipif(
    not launching.can_launch(), reason="no mpirun on PATH, or mpi4py not installed"
)


@pytest.fixture(scope="session")
def cluster():
    """Three nodes on this machine; skips with the reason where none can be had."""
    if reason := why_not():
        pytest.skip(f"no Slurm: {reason}")
    with running_cluster() as cluster:
        yield cluster


# The program itself, but for its rests, and for what it takes for a long sample: 27 sites and
# more, several segments, a checkpoint at the end of each.
RESTING = """
import sys, time
from manybody import cli
from manybody.solve import checkpoints, spread, stacked
from manybody.study.block_store import BlockStore
stacked._LARGE_ABOVE, spread._MOST_APPLICATIONS, checkpoints._PATIENCE = 20, 100.0, 0.0
def rest_before(what):
    def rested(*arguments, **keywords):
        time.sleep(0.8)
        return what(*arguments, **keywords)
    return rested
BlockStore.commit = rest_before(BlockStore.commit)
checkpoints.Keeper.due = rest_before(checkpoints.Keeper.due)
assert sys.argv[1:3] == ["-m", "manybody"], sys.argv
sys.exit(cli.main(sys.argv[3:]))
"""
# Many blocks.
ENSEMBLE = """
name = "ensemble"
seed = 11
samples = {samples}
block_size = 4
times = {{ start = 0.0, stop = 50.0, count = 20 }}
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "dirac_syk2"
n_sites = [{sites}]
"""
# A sample shared by all ranks and long enough for three segments.
LARGE = """
name = "large"
seed = 12
samples = 1
block_size = 1
times = { start = 0.0, stop = 40.0, count = 11 }
[bath]
coupling = 0.2
cutoff = 10.0
beta = 5.0
[[systems]]
model = "anderson3d"
length = 3
disorder = 5.0
"""


@dataclass(frozen=True)
class Job:
    """A job or an array task; log: what it printed, over all its restarts."""

    cluster: Cluster
    name: str
    log: Path

    @property
    def facts(self):
        return self.cluster.job(self.name)

    def wait_for(self, state, restarts=0, seconds=150.0):
        """Return when the job is in a state after so many restarts; fail when it cannot be."""
        end = time.monotonic() + seconds
        wanted = (state, str(restarts))
        while (now := self._now()) != wanted:
            if now[0] in ENDED or int(now[1]) > restarts or time.monotonic() > end:
                pytest.fail(
                    f"job {self.name} is {now}, not {wanted}; it said\n{self.said}"
                    f"\n{self.facts}\n{self.cluster.logs()}"
                )
            time.sleep(0.2)

    def _now(self):
        facts = self.facts
        return facts["JobState"], facts["Restarts"]

    @property
    def said(self):
        return self.log.read_text() if self.log.exists() else ""

    @property
    def exit_code(self):
        code, killed_by = self.facts["ExitCode"].split(":")
        assert killed_by == "0", f"killed by signal {killed_by}: {self.said}"
        return int(code)

    def stop(self):
        """The signal that Slurm sends before the time limit, to the same process: the shell."""
        self.cluster.call("scancel", "--batch", "--signal=USR1", self.name)

    def release(self):
        """End the waiting that follows a requeue.

        Not at once: slurmd knows the second in which it ended a job, and takes the job
        for ended when it comes back within that.
        """
        self.cluster.call("scontrol", "update", f"JobId={self.name}", "StartTime=now+3")


def submit(cluster, template, *arguments, options=(), log, **variables):
    """sbatch, as from the checkout; the id of the job."""
    variables = {
        "MANYBODY_ROOT": str(ROOT),
        "MANYBODY_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        **launching.OPEN_MPI,
        **variables,
    }
    said = cluster.call(
        "sbatch",
        "--parsable",
        f"--output={log}",
        *options,
        str(ROOT / "slurm" / template),
        *map(str, arguments),
        **variables,
    )
    return said.strip()


def array(cluster, folder, *arguments, tasks, options=(), **variables):
    """The tasks of a submitted ensemble."""
    name = submit(
        cluster,
        "ensemble.sbatch",
        *arguments,
        options=[f"--array=0-{tasks - 1}", *options],
        log=folder / "array-%a.log",
        **variables,
    )
    return [Job(cluster, f"{name}_{i}", folder / f"array-{i}.log") for i in range(tasks)]


def single(cluster, folder, template, *arguments, **keywords):
    """A submitted job that is no array."""
    log = folder / f"{template}.log"
    return Job(cluster, submit(cluster, template, *arguments, log=log, **keywords), log)


def manybody(*arguments, launcher=(), python=sys.executable):
    """A command of manybody outside Slurm, with the environment of the templates."""
    done = subprocess.run(
        [*launcher, python, "-m", "manybody", *map(str, arguments)],
        env=launching.environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def blocks(directory):
    return sorted(directory.rglob("*.h5"))


def wait_for_some(job, store, pattern="blocks/*/*.h5", number=1, seconds=60.0):
    end = time.monotonic() + seconds
    while len(list(store.glob(pattern))) < number:
        assert time.monotonic() < end, f"no {pattern} in {store}; {job.name} said\n{job.said}"
        time.sleep(0.05)


def assert_complete(directory, unbroken):
    """The stores hold the same samples and bits, all that their study asks for."""
    found = payload(Store(directory))
    n_samples = sum(
        system.samples * len(system.points) for system in Store(unbroken).study.systems
    )
    assert len(found) == n_samples
    assert_same_payload(found, payload(Store(unbroken)))


@pytest.fixture(scope="module")
def resting(tmp_path_factory):
    """The path of a Python that runs RESTING for `-m manybody`."""
    folder = tmp_path_factory.mktemp("resting")
    (folder / "resting.py").write_text(RESTING)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/resting.py" "$@"\n')
    python.chmod(0o755)
    return str(python)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """(study file, store of an unbroken run of one process)."""
    folder = tmp_path_factory.mktemp("ensemble")
    study = folder / "ensemble.toml"
    study.write_text(ENSEMBLE.format(samples=96, sites=16))
    manybody("run", study, "--out", folder / "unbroken", "--quiet")
    return study, folder / "unbroken"


@pytest.fixture(scope="module")
def limited(cluster, resting, tmp_path_factory):
    """(job, folder) of an ensemble far too long for its minute, submitted before other tests."""
    folder = tmp_path_factory.mktemp("limited")
    study = folder / "limited.toml"
    study.write_text(ENSEMBLE.format(samples=10_000, sites=16))
    # As in the template, but for the seconds.
    text = (ROOT / "slurm/ensemble.sbatch").read_text()
    signal_option = re.search(r"^#SBATCH (--signal=.*)@", text, re.MULTILINE)[1]
    options = ["--ntasks=1", "--time=1", f"{signal_option}@20"]
    (job,) = array(
        cluster,
        folder,
        study,
        folder / "store",
        "--quiet",
        tasks=1,
        options=options,
        MANYBODY_PYTHON=resting,
    )
    return job, folder


@needs_mpi
@pytest.mark.usefixtures("limited")
def test_a_signalled_task_is_requeued_and_the_merged_shards_are_an_unbroken_run(
    cluster, ensemble, resting, tmp_path
):
    study, unbroken = ensemble
    steady, stopped = array(
        cluster,
        tmp_path,
        study,
        tmp_path / "shard-%a",
        tasks=2,
        options=["--ntasks=2", f"--nodelist={NODES[0]}"],
        MANYBODY_PYTHON=resting,
    )
    wait_for_some(stopped, tmp_path / "shard-1")
    stopped.stop()
    stopped.wait_for("PENDING", restarts=1)
    done_before = blocks(tmp_path / "shard-1")
    assert 0 < len(done_before) < 12, "of its 12 blocks some are done"
    stopped.release()
    stopped.wait_for("COMPLETED", restarts=1)
    steady.wait_for("COMPLETED", restarts=0)
    assert set(done_before) < set(blocks(tmp_path / "shard-1")), "it went on, not from the start"
    # The second run did not erase what the first said.
    first, last = (stopped.said.index(f"thread(s), restart {i}") for i in range(2))
    assert first < stopped.said.index("is queued again") < last

    shards = [tmp_path / f"shard-{i}" for i in range(2)]
    manybody("merge", *shards, "--out", tmp_path / "merged")
    assert_complete(tmp_path / "merged", unbroken)


def test_resume_waits_for_an_array_and_completes_what_died(cluster, ensemble, resting, tmp_path):
    study, unbroken = ensemble
    store = tmp_path / "store"
    dying, stopped, steady = tasks = array(
        cluster, tmp_path, study, store, tasks=3, options=["--ntasks=1"], MANYBODY_PYTHON=resting
    )
    array_id = dying.name.split("_")[0]
    resume = single(
        cluster,
        tmp_path,
        "resume.sbatch",
        study,
        store,
        options=[f"--dependency=afterany:{array_id}", "--ntasks=1"],
    )
    for task in tasks:
        task.wait_for("RUNNING")
    wait_for_some(steady, store, number=3)
    stopped.stop()
    (process,) = [
        number
        for number in cluster.processes(SLURM_ARRAY_JOB_ID=array_id, SLURM_ARRAY_TASK_ID="0")
        if b"--shard" in Path(f"/proc/{number}/cmdline").read_bytes()
    ]
    os.kill(process, signal.SIGKILL)
    dying.wait_for("FAILED", restarts=0)
    assert dying.exit_code == 128 + signal.SIGKILL
    stopped.wait_for("PENDING", restarts=1)
    steady.wait_for("COMPLETED")
    # A task that is queued again has not ended.
    assert resume.facts["JobState"] == "PENDING"
    assert "afterany" in resume.facts["Dependency"]
    assert len(blocks(store)) < 24
    stopped.release()
    stopped.wait_for("COMPLETED", restarts=1)
    assert len(blocks(store)) < 24
    resume.wait_for("COMPLETED")
    assert resume.exit_code == 0
    assert_complete(store, unbroken)
    assert list((store / "report").glob("*.png"))
    assert "figure: " in resume.said


# Ranks of what Slurm takes for two nodes must not meet in shared memory as if they were on two.
@needs_mpi
@pytest.mark.parametrize(
    ("nodes", "variables"),
    [(2, {"OMPI_MCA_btl": "tcp,self"}), (1, {"MANYBODY_LAUNCHER": "srun --mpi=pmix"})],
    ids=["mpirun, two nodes", "srun"],
)
def test_a_large_sample_stops_and_goes_on(cluster, large, resting, tmp_path, nodes, variables):
    if "MANYBODY_LAUNCHER" in variables and "pmix" not in cluster.call("srun", "--mpi=list"):
        pytest.skip("this Slurm has no PMIx")
    study, unbroken = large
    store = tmp_path / "store"
    job = single(
        cluster,
        tmp_path,
        "large-sample.sbatch",
        study,
        store,
        options=[f"--nodes={nodes}", f"--ntasks-per-node={2 // nodes}"],
        MANYBODY_PYTHON=resting,
        **variables,
    )
    wait_for_some(job, store, "claims/*")
    job.stop()
    job.wait_for("PENDING", restarts=1)
    assert not blocks(store)
    assert list(store.glob("checkpoints/*/*.state")), "the sample stopped half-way"
    job.release()
    job.wait_for("COMPLETED", restarts=1)
    assert job.exit_code == 0
    assert not list(store.glob("checkpoints/*/*.state"))
    assert_complete(store, unbroken)


@pytest.fixture(scope="module")
def large(resting, tmp_path_factory):
    """(study file, store of an unbroken run of two ranks a sample)."""
    folder = tmp_path_factory.mktemp("large")
    study = folder / "large.toml"
    study.write_text(LARGE)
    manybody(
        "run",
        study,
        "--out",
        folder / "unbroken",
        "--group-size",
        2,
        "--quiet",
        launcher=["mpirun", "-n", "2"],
        python=resting,
    )
    return study, folder / "unbroken"


def test_what_cannot_run_is_said_and_not_queued_again(cluster, ensemble, tmp_path):
    study, _ = ensemble
    store = tmp_path / "store"
    one = ["--ntasks=1"]
    cases = {
        "usage: sbatch slurm/ensemble.sbatch STUDY STORE": ("ensemble.sbatch", [study], {}),
        "usage: sbatch slurm/large-sample.sbatch": ("large-sample.sbatch", [], {}),
        "usage: sbatch slurm/resume.sbatch": ("resume.sbatch", [study], {}),
        "join them first (manybody merge)": ("resume.sbatch", [study, tmp_path / "s-%a"], {}),
        "no Python at /nowhere/python": (
            "resume.sbatch",
            [study, store],
            {"MANYBODY_PYTHON": "/nowhere/python"},
        ),
        "/nowhere is not the checkout": (
            "resume.sbatch",
            [study, store],
            {"MANYBODY_ROOT": "/nowhere"},
        ),
        "no-such-study": ("resume.sbatch", ["no-such-study", store], {}),
        "--array must be 0-(N-1)": ("ensemble.sbatch", [study, store], {"array": "3"}),
    }
    jobs = {}
    for number, (words, (template, arguments, variables)) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        options = list(one)
        if template == "large-sample.sbatch":
            options = ["--nodes=1", "--ntasks-per-node=1", "--time=5"]
        if template == "ensemble.sbatch":
            options.append(f"--array={variables.pop('array', '0')}")
        jobs[words] = single(cluster, folder, template, *arguments, options=options, **variables)
    for words, job in jobs.items():
        job.wait_for("FAILED", restarts=0)
        assert job.exit_code == 2, job.said
        assert words in job.said
    assert not store.exists()


def test_a_job_that_may_not_be_requeued_says_so_and_a_cancelled_one_is_not(
    cluster, ensemble, resting, tmp_path
):
    study, unbroken = ensemble
    (tmp_path / "cancelled").mkdir()
    stopped, cancelled = jobs = [
        single(
            cluster,
            folder,
            "resume.sbatch",
            study,
            folder / "store",
            options=["--ntasks=1", *options],
            MANYBODY_PYTHON=resting,
        )
        for folder, options in ((tmp_path, ["--no-requeue"]), (tmp_path / "cancelled", []))
    ]
    for job in jobs:
        wait_for_some(job, job.log.parent / "store")
    stopped.stop()
    cluster.call("scancel", cancelled.name)
    stopped.wait_for("FAILED")
    assert stopped.exit_code == 75
    assert f"does not requeue job {stopped.name}" in stopped.said
    cancelled.wait_for("CANCELLED")
    assert "queued again" not in cancelled.said
    # Told to end, it was given the time to: no block is lost, and none is torn.
    assert cancelled.exit_code == 75
    again = single(
        cluster,
        tmp_path,
        "resume.sbatch",
        study,
        tmp_path / "cancelled/store",
        options=["--ntasks=1"],
    )
    again.wait_for("COMPLETED")
    assert_complete(tmp_path / "cancelled/store", unbroken)


def test_a_time_limit_stops_a_job_in_good_order(limited):
    """Slurm's own signal, before a real limit of one minute.

    The study is far too long for the limit on any machine; before the restart it is cut down to
    a little more than what is done.
    """
    job, folder = limited
    job.wait_for("PENDING", restarts=1)
    done = blocks(folder / "store")
    assert done
    assert "TIME LIMIT" not in job.said
    n_samples = 4 * len(done) + 12
    study = folder / "limited.toml"
    study.write_text(ENSEMBLE.format(samples=n_samples, sites=16))
    job.release()
    job.wait_for("COMPLETED", restarts=1)
    assert set(done) < set(blocks(folder / "store"))
    manybody("run", study, "--out", folder / "unbroken", "--quiet")
    assert_complete(folder / "store", folder / "unbroken")
