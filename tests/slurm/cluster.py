"""A Slurm of its own: munged, slurmctld and a few slurmd, in a temporary directory.

It needs root and Debian's packages slurm-wlm and munge, and touches neither their configuration
nor their services.  Everything runs below a guard, which ends the jobs and the daemons and
removes the directory when the one who started it closes a pipe, or dies whatever way.

    python tests/slurm/cluster.py      a cluster to try things on, until Ctrl-D
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "squeue", "srun")
# The first has the name of the machine, as a node has: on it, mpirun starts ranks by itself.  To
# the others it goes by way of srun, as to any node but its own.
NODES = (socket.gethostname(), "node2", "node3")
CORES = 4  # of each node, whatever the machine has: jobs may overlap
READY = "ready"
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))

# Every node is a daemon on this machine.  A requeued job waits for cred_expire, in seconds: until
# a test has looked at it and releases it.
_CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={directory}/munge.socket,cred_expire=1000
StateSaveLocation={directory}/state
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdSpoolDir={directory}/spool-%n
SlurmdPidFile={directory}/slurmd-%n.pid
PlugStackConfig={directory}/plugstack.conf
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MinJobAge=3600
ReturnToService=2
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=NO State=UP
"""


def why_not() -> str:
    """The reason why no cluster can be started here; empty if one can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: slurm-wlm, munge)"
    if os.geteuid() != 0:
        return "slurmd needs root to start jobs"
    return ""


class Cluster:
    """What a test does to a running cluster."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = environment(directory)

    def call(self, *command: str, **variables: str) -> str:
        """What a client command says; `variables` are added to its environment."""
        done = subprocess.run(
            command,
            env={**self.environment, **variables},
            text=True,
            timeout=60,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
        return done.stdout

    def job(self, job_id: str) -> dict[str, str]:
        """What `scontrol show job` says of one job or array task."""
        text = self.call("scontrol", "show", "job", "-o", job_id).strip()
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def processes(self, **variables: str) -> list[int]:
        """Process ids of the cluster, daemons included, that have these in their environment."""
        variables["SLURM_CONF"] = f"{self.directory}/slurm.conf"
        marks = {f"{name}={text}".encode() for name, text in variables.items()}
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if marks <= set((path / "environ").read_bytes().split(b"\0")):
                    found.append(int(path.name))
        return found

    def logs(self) -> str:
        """The last words of the daemons, for a failure."""
        return "\n".join(
            f"---- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-30:])
            for path in sorted(self.directory.glob("*.log"))
        )


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster with idle nodes; gone when the block ends, or this process."""
    # Short: a path of a Unix socket has at most 107 letters.  A folder of pytest's would do
    # otherwise, but munged wants the folders above its socket open to all.
    directory = Path(tempfile.mkdtemp(prefix="slurm-"))
    directory.chmod(0o755)
    # A session of its own: Ctrl-C is for the one who started it.
    guard = subprocess.Popen(
        [sys.executable, __file__, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert guard.stdin is not None and guard.stdout is not None
    try:
        cluster = Cluster(directory)
        said = guard.stdout.readline().strip()
        if said != READY:
            raise RuntimeError(f"no cluster: {said}\n{guard.stdout.read()}")
        yield cluster
    finally:
        guard.stdin.close()
        guard.wait(timeout=120)
        guard.stdout.close()


def environment(directory: Path) -> dict[str, str]:
    """This process's environment, pointed at the cluster and at no other one."""
    foreign = ("SLURM", "SBATCH", "SRUN", "SALLOC", "SCANCEL", "SQUEUE", "OMPI_", "PMI")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PATH": _PATH, "SLURM_CONF": str(directory / "slurm.conf")}


def _guard(directory: Path) -> None:
    """Start the daemons, say so, and end them when standard input does."""

    def leave(*_: object) -> None:
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, leave)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        _start(directory, daemons)
        print(READY, flush=True)
        sys.stdin.read()
    except RuntimeError as error:
        print(str(error).replace("\n", " "), flush=True)
        print(Cluster(directory).logs(), flush=True)
    finally:
        _stop(directory, daemons)
        shutil.rmtree(directory, ignore_errors=True)


def _start(directory: Path, daemons: list[subprocess.Popen[bytes]]) -> None:
    for name in ("state", *(f"spool-{node}" for node in NODES)):
        (directory / name).mkdir()
    key = directory / "munge.key"
    key.touch(0o400)
    key.write_bytes(os.urandom(128))
    (directory / "plugstack.conf").touch()
    # From 23.02 on slurmd ends where no cgroup file system is mounted, in a container for one,
    # unless it is told to do without; older ones do not know the word.
    if _slurm_version() >= (23, 2):
        (directory / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    port, *ports = _free_ports(1 + len(NODES))
    host = NODES[0]
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={each} CPUs={CORES}"
        for node, each in zip(NODES, ports)
    )
    (directory / "slurm.conf").write_text(
        _CONFIGURATION.format(directory=directory, host=host, port=port, nodes=nodes)
    )
    munge = [f"--{name}-file={directory}/munge.{name}" for name in ("key", "pid", "seed")]
    commands = [
        ["munged", "--foreground", "--force", f"--socket={directory}/munge.socket", *munge],
        ["slurmctld", "-D"],
        *(["slurmd", "-D", "-N", node] for node in NODES),
    ]
    for command in commands:
        with open(directory / f"{command[0]}-{len(daemons)}.log", "wb") as log:
            daemons.append(
                subprocess.Popen(
                    command,
                    env=environment(directory),
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
        if command[0] == "munged":
            _wait_for(lambda: (directory / "munge.socket").exists(), daemons, "munged")
    _wait_for(lambda: _idle(directory), daemons, "an idle node")


def _slurm_version() -> tuple[int, ...]:
    said = subprocess.run(
        ["slurmd", "-V"], env={"PATH": _PATH}, capture_output=True, text=True, timeout=60
    ).stdout
    return tuple(int(part) for part in said.split()[-1].split(".")[:2])


def _idle(directory: Path) -> bool:
    done = subprocess.run(
        ["sinfo", "--noheader", "--Node", "--format=%T"],
        env=environment(directory),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode == 0 and done.stdout.split() == ["idle"] * len(NODES)


def _wait_for(
    condition: Callable[[], bool], daemons: list[subprocess.Popen[bytes]], what: str
) -> None:
    end = time.monotonic() + 60.0
    while not condition():
        ended = [daemon.args for daemon in daemons if daemon.poll() is not None]
        if ended or time.monotonic() > end:
            raise RuntimeError(f"waited for {what}" + (f", but {ended} ended" if ended else ""))
        time.sleep(0.1)


def _free_ports(number: int) -> list[int]:
    """Ports free now; all are held until the last is known."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _stop(directory: Path, daemons: list[subprocess.Popen[bytes]]) -> None:
    for daemon in reversed(daemons):
        daemon.terminate()
    for daemon in reversed(daemons):
        try:
            daemon.wait(timeout=10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    # What slurmd started outlives it, and each may start another before it ends.
    while processes := Cluster(directory).processes():
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


def _by_hand() -> None:
    with running_cluster() as cluster:
        print(f"export SLURM_CONF={cluster.directory}/slurm.conf", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(reason)
    if len(sys.argv) > 1:
        _guard(Path(sys.argv[1]))
    else:
        _by_hand()
