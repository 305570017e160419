"""Kill runs of a study at random moments, over and over, and count what is lost.

Two studies of a few seconds, one with samples in stacks and long ones with checkpoints, one of
cases, are computed once without any harm. Then they are computed again and again, in turn, by one
process, by mpirun and by two processes that share a store; every run gets a signal at a random
moment, most of them SIGKILL, some SIGUSR1 and SIGTERM, and the same command goes on where it
stopped; when all kills are sent, runs go on in peace until the store is complete. Under mpirun
the signal meets one rank, the launcher, or all at once. Now and then a run is a zombie: it is
stopped while it holds a claim until a run on what looks like another machine has taken its work
over and completed the store, and only then goes on. When a store is complete, every bit in it
is compared with the undisturbed one and its folder is searched for what should not be there.

With --faults a call to the system goes wrong in each of many short commands: soak_faults.py.
With --flips a bit of a finished block is another: soak_flips.py. The exit status is 0 only when
nothing was lost, double, different, left over, unnoticed or hung.

Cost:    two to three seconds a kill on two cores, hundreds of MB of memory a rank; half a second
         of one core a fault, a tenth a flip.
Launch:  .venv/bin/python scripts/soak.py --kills 1000 --faults 1000 --flips 200 --seed 1
"""

import argparse
import contextlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import soak_faults
import soak_nursery
from launching import can_launch, environment
from soak_flips import Flips
from soak_stores import contents, differing, leftovers
from soak_studies import SHORT_STUDIES, STUDIES

from manybody import cli
from manybody.cli.kinds import open_store
from manybody.parallel.files import listed, process_is_alive
from manybody.study.progress import clock

# The program itself, but for what it takes for a long sample: 27 sites and more, many
# segments, a checkpoint at the end of each.
PROGRAM = """
import sys
from manybody import cli
from manybody.solve import checkpoints
from manybody.solve import spread, stacked
stacked._LARGE_ABOVE, spread._MOST_APPLICATIONS, checkpoints._PATIENCE = 20, 100.0, 0.0
sys.exit(cli.main(sys.argv[1:]))
"""
# The same, where a claim is stale soon and a machine has the name that is given first: owners
# that live on the same machine are never stale.
ELSEWHERE = (
    """
import socket, sys
from manybody.parallel import claims
name = sys.argv.pop(1)
claims.HEARTBEAT_SECONDS, claims.STALE_AFTER_SECONDS = 0.05, 0.5
claims._this_machine = socket.gethostname = lambda: name
"""
    + PROGRAM
)
KINDS = ("one process", "mpirun", "two processes")
# One run in so many is a zombie: it takes as long as the rest of its study.
RUNS_A_ZOMBIE = 8
SIGNALS = {signal.SIGKILL: 7, signal.SIGUSR1: 2, signal.SIGTERM: 1}
# After a signal nothing takes longer than a block or a segment.
LONGEST = 180.0


def main():
    """Soak, print what was counted, return the exit status."""
    options = parse()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=options.scratch))
    print(f"seed {seed}", flush=True)
    try:
        harmed = [step(options, folder, seed) for step in (kill, fault, flip)]
        return 1 if any(harmed) else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kill(options, folder, seed):
    """The kills that were asked for; whether anything was harmed."""
    if options.kills == 0:
        return False
    studies = {counted: STUDIES[counted] for counted in options.of or STUDIES}
    soak = Soak(folder, options.ranks, options.seconds_between, random.Random(seed), studies)
    print(f"{options.kills} kills, kinds of runs: {', '.join(soak.kinds)}", flush=True)
    try:
        soak.run(options.kills)
    finally:
        soak.end_all()
    print(soak.summary(), flush=True)
    return soak.is_harmed


def fault(options, folder, seed):
    """The faults that were asked for; whether anything was harmed."""
    if options.faults == 0:
        return False
    library = soak_nursery.build(folder)
    if library is None:
        print("no faults: a C compiler on Linux is needed", flush=True)
        return False
    place = folder / "faults"
    place.mkdir()
    studies = {counted: SHORT_STUDIES[counted] for counted in options.of or STUDIES}
    with soak_nursery.Nursery(library, place) as nursery:
        faults = soak_faults.Faults(place, nursery, random.Random(seed), studies)
        faults.run(options.faults)
    print(faults.summary(), flush=True)
    return faults.is_harmed


def flip(options, folder, seed):
    """The flips that were asked for; whether any was missed."""
    if options.flips == 0:
        return False
    stores, study = [], folder / "flips.toml"
    for counted in options.of or STUDIES:
        study.write_text(SHORT_STUDIES[counted])
        stores.append(folder / f"flips-{counted}")
        with contextlib.redirect_stdout(io.StringIO()):
            code = cli.main(["run", str(study), "--out", str(stores[-1]), "--quiet"])
        if code != 0:
            raise RuntimeError(f"the undisturbed run ended with {code}")
    flips = Flips(folder, random.Random(seed), stores)
    flips.run(options.flips)
    print(flips.summary(), flush=True)
    return flips.is_harmed


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="default 100")
    parser.add_argument("--faults", type=int, default=0, metavar="N", help="default none")
    parser.add_argument("--flips", type=int, default=0, metavar="N", help="default none")
    parser.add_argument(
        "--ranks", type=int, default=2, metavar="R", help="of the runs under mpirun (default 2)"
    )
    parser.add_argument(
        "--seconds-between",
        type=float,
        default=3.0,
        metavar="S",
        help="a run is killed between 0 and S seconds after its start (default 3)",
    )
    parser.add_argument(
        "--of",
        choices=tuple(STUDIES),
        action="append",
        help="studies of these alone (default all)",
    )
    parser.add_argument("--seed", type=int, help="of the moments and signals (default: random)")
    parser.add_argument("--scratch", metavar="DIR", help="where the stores lie, for a while")
    options = parser.parse_args()
    if min(options.kills, options.faults, options.flips) < 0:
        parser.error("--kills, --faults and --flips must not be negative")
    if options.ranks < 1 or options.seconds_between <= 0.0:
        parser.error("--ranks and --seconds-between must be positive")
    return options


class Soak:
    """Runs, kills and counts.  Everything happens below `folder`."""

    def __init__(self, folder, ranks, seconds_between, rng, studies):
        self.folder, self.ranks, self.seconds, self.rng = folder, ranks, seconds_between, rng
        self.study, self.studies = folder / "soak.toml", studies
        self.kinds = [kind for kind in KINDS if kind != "mpirun" or can_launch()]
        self.kills, self.runs = Counter(), Counter()
        self.lost = self.double = self.differing = self.hung = 0
        # Of zombies: those that were woken, and samples with equal bits in two blocks.
        self.zombies = self.duplicates = 0
        self.completed = Counter()
        # Launchers that wait for ever after all their ranks have gone: none of ours.
        self.stuck_launchers = 0
        self.leftover, self.strange = [], []
        # Runs, and the processes last seen below each: they may outlive it for a moment.
        self.started = {}
        self.seconds_taken = 0.0

    @property
    def is_harmed(self):
        """Whether anything at all went wrong."""
        counts = self.lost, self.double, self.differing, self.hung
        return any(counts) or bool(self.leftover) or bool(self.strange)

    def run(self, wanted):
        """Until so many kills were delivered and the last study is complete."""
        expected = {}
        for counted, text in self.studies.items():
            self.study.write_text(text)
            out = self.folder / f"unbroken-{counted}"
            code = self.wait(self.start("one process", out), LONGEST)
            if code != 0:
                raise RuntimeError(f"the undisturbed run ended with {code}: {self.words(out)}")
            expected[counted] = contents(open_store(out))[0]
        start = said = time.monotonic()
        turn, study = 0, 0
        while sum(self.kills.values()) < wanted:
            out, zombies = self.folder / f"study-{study}", self.zombies
            counted = list(self.studies)[study % len(self.studies)]
            self.study.write_text(self.studies[counted])
            complete = False
            while not complete:
                enough = sum(self.kills.values()) >= wanted
                if turn % RUNS_A_ZOMBIE == RUNS_A_ZOMBIE - 1:
                    complete = self.wake_the_dead(out)
                else:
                    complete = self.disturb(self.kinds[turn % len(self.kinds)], out, enough)
                turn += 1
                now, done = time.monotonic(), sum(self.kills.values())
                if now - said > 10.0:
                    said, rate = now, max(done, 1) / (now - start)
                    print(
                        f"{done}/{wanted} kills  {rate:.2f} kills/s  "
                        f"{self.completed.total()} studies  "
                        f"ETA {clock(max(0, wanted - done) / rate)}",
                        flush=True,
                    )
            self.judge(out, expected[counted], self.zombies > zombies)
            self.completed[counted] += 1
            shutil.rmtree(out)
            study += 1
        self.seconds_taken = time.monotonic() - start

    def disturb(self, kind, out, enough):
        """One run of some kind with one signal, or none where that is enough of them.

        True when the store is complete.
        """
        self.runs[kind] += 1
        number = self.rng.choices(list(SIGNALS), list(SIGNALS.values()))[0]
        moment = self.rng.uniform(0.0, self.seconds)
        runs = [self.start(kind, out) for _ in range(2 if kind == "two processes" else 1)]
        victim = self.rng.choice(runs)
        codes = []
        try:
            victim.wait(LONGEST if enough else moment)
        except subprocess.TimeoutExpired:
            if not enough:
                self.strike(kind, victim, number)
        for run in runs:
            code = self.wait(run, LONGEST)
            codes.append(code)
            allowed = {0, 75} if kind != "mpirun" else {0, 75, 1, 137, 138, 143, 9, 10, 15}
            if run is victim:
                allowed |= {-number}
            if kind == "mpirun":
                # A launcher that gets a signal while it ends may fall over itself.
                allowed |= {-signal.SIGSEGV, -signal.SIGABRT}
            if code not in allowed:
                self.strange.append(f"{kind}, {number.name}: exit code {code}, {self.words(out)}")
        # What the last to die leaves goes with the next run.
        return set(codes) == {0}

    def wake_the_dead(self, out):
        """A run that is stopped while it holds a claim, and goes on when another has completed.

        True when the store is complete, and what runs of this machine had left there is gone.
        """
        self.runs["a zombie"] += 1
        zombie = self.start("one process", out, "elsewhere")
        while zombie.poll() is None and not holds_a_claim(zombie.pid, out):
            time.sleep(0.001)
        if self.rng.random() < 0.5:
            time.sleep(self.rng.uniform(0.0, self.seconds / 3.0))
        stopped = False
        while not stopped and zombie.poll() is None:
            os.kill(zombie.pid, signal.SIGSTOP)
            # What it holds between two blocks is nothing, and at the start or end perhaps the
            # lock of the folder, for which others wait as they should.
            stopped = holds_a_claim(zombie.pid, out) and not holds_a_lock(zombie.pid)
            if not stopped:
                os.kill(zombie.pid, signal.SIGCONT)
                time.sleep(0.01)
        runs = [zombie]
        if stopped:
            other = self.start("one process", out, "here")
            runs.append(other)
            with contextlib.suppress(subprocess.TimeoutExpired):
                other.wait(LONGEST)
            self.zombies += 1
            os.kill(zombie.pid, signal.SIGCONT)
        codes = [self.wait(run, LONGEST) for run in runs]
        codes.append(self.wait(self.start("one process", out), LONGEST))
        if any(codes):
            self.strange.append(f"a zombie: exit codes {codes}, {self.words(out)}")
        return True

    def strike(self, kind, victim, number):
        """Send a signal to a run, or to some or all of its ranks."""
        below = self.look(victim)
        targets = [victim.pid]
        if kind == "mpirun" and below and number == signal.SIGKILL:
            targets = self.rng.choice([[victim.pid], [self.rng.choice(below)], below + targets])
        for pid in targets:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        self.kills[number.name] += 1

    def start(self, kind, out, machine=""):
        """A run of the study, not waited for; what it says goes to a file.

        machine: where it takes itself to be, empty for here.
        """
        program = [ELSEWHERE, machine] if machine else [PROGRAM]
        command = [sys.executable, "-c", *program, "run", str(self.study), "--out", str(out)]
        if kind == "mpirun":
            command = [shutil.which("mpirun"), "-n", str(self.ranks), *command]
        with open(f"{out}.log", "ab") as log:
            run = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
            )
        self.started[run] = []
        return run

    def look(self, run):
        """The processes below a run."""
        self.started[run] = descendants(run.pid) or self.started[run]
        return self.started[run]

    def wait(self, run, longest):
        """The exit code of a run, when its ranks are gone too; kills what hangs."""
        end = time.monotonic() + longest
        while time.monotonic() < end:
            code = run.poll()
            below = self.look(run)
            if code is not None and not any(process_is_alive(pid) for pid in below):
                del self.started[run]
                return code
            time.sleep(0.01)
        below = [pid for pid in self.look(run) if process_is_alive(pid)]
        self.end(run)
        if run.args[0] == shutil.which("mpirun") and not below:
            self.stuck_launchers += 1
            return 1
        self.hung += 1
        return run.returncode

    def end_all(self):
        """Leave no process behind when this program is interrupted."""
        for run in list(self.started):
            self.end(run)

    def end(self, run):
        """Kill a run and what is below it."""
        for pid in [*self.look(run), run.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.wait()
        del self.started[run]

    def words(self, out):
        """The last that the runs of a store have said."""
        log = Path(f"{out}.log")
        return log.read_text("utf-8", errors="replace")[-400:] if log.exists() else ""

    def judge(self, out, expected, had_zombies):
        """Compare a complete store with the undisturbed one."""
        found, double, problems = contents(open_store(out))
        self.lost += len(expected.keys() - found.keys())
        if had_zombies:
            # Who wakes up has computed what another has committed: equal bits in another file.
            self.duplicates += double
        else:
            self.double += double
        self.differing += len(problems) + differing(open_store(out), expected)
        self.leftover += leftovers(out)

    def summary(self):
        """What was counted, for people."""
        total, took = sum(self.kills.values()), clock(self.seconds_taken)
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        runs = ", ".join(f"{count} by {kind}" for kind, count in sorted(self.runs.items()))
        lines = [
            f"{total} kills ({kills}) in {took}, runs: {runs}",
            f"{self.completed['samples']} studies of samples and {self.completed['cases']} of "
            f"cases completed: {self.lost} samples lost, {self.double} double, "
            f"{self.differing} with differing bits, {len(self.leftover)} leftover files, "
            f"{self.hung} runs hung, {len(self.strange)} strange exit codes",
            f"{self.zombies} zombies woken: {self.duplicates} samples of equal bits in two blocks",
            f"{self.stuck_launchers} times mpirun hung although its ranks had gone",
        ]
        return "\n".join([*lines, *self.leftover[:10], *self.strange[:10]])


def holds_a_claim(pid, out):
    """Whether a process works on something in a store."""
    for path in listed(out / "claims", "*"):
        with contextlib.suppress(OSError):
            if path.read_text("utf-8", errors="replace").split()[1:2] == [str(pid)]:
                return True
    return False


def holds_a_lock(pid):
    """Whether a process holds or waits for the lock of a file or folder."""
    locks = Path("/proc/locks").read_text().splitlines()
    return any(str(pid) in line.split() for line in locks)


def descendants(pid):
    """Processes below one, children first."""
    found, level = [], [pid]
    while level:
        below = []
        for one in level:
            # Any of them may be gone by now.
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{one}/task"):
                    children = Path(f"/proc/{one}/task/{task}/children").read_text()
                    below += map(int, children.split())
        found += below
        level = below
    return found


if __name__ == "__main__":
    sys.exit(main())
