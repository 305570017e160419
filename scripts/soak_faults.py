"""Calls to the system that go wrong, one in each of many short commands: for scripts/soak.py.

Call x errno x position is a table, from which faults are taken at random; soak_nursery.py runs
the commands that they meet.
"""

import contextlib
import hashlib
import re
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from soak_nursery import CALLS
from soak_stores import contents, differing, leftovers

from manybody.cli.kinds import open_store
from manybody.study.progress import clock

FULL = ("ENOSPC", "EDQUOT", "EIO", "EROFS")
# What a call may answer.
ERRORS = {
    "open": ("EIO", "EACCES", "EMFILE", "ENFILE", "ESTALE", "EINTR", "ENOMEM"),
    "create": (*FULL, "EACCES", "EMFILE", "ESTALE", "EINTR"),
    "read": ("EIO", "ESTALE", "EINTR", "ENOMEM"),
    "write": (*FULL, "EFBIG", "EINTR", "ESTALE"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EINTR", "EROFS"),
    "rename": (*FULL, "EACCES", "ESTALE", "EBUSY"),
    "unlink": ("EIO", "EACCES", "EROFS", "ESTALE", "EBUSY"),
    "mkdir": (*FULL, "EACCES", "EMLINK", "ESTALE"),
    "rmdir": ("EIO", "EACCES", "EROFS", "EBUSY", "ESTALE"),
    "close": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "flock": ("ENOLCK", "EINTR", "EOPNOTSUPP", "EIO"),
    "opendir": ("EIO", "EACCES", "EMFILE", "ESTALE", "ENOMEM"),
    "readdir": ("EIO", "ESTALE"),
    "stat": ("EIO", "EACCES", "ESTALE", "ENOMEM"),
}
CHANGING = ("create", "write", "fsync", "rename", "unlink", "mkdir", "rmdir")
# What goes wrong and stays so until the end of the process.
LASTING = {
    "full": (("create", "write", "mkdir"), "ENOSPC"),
    "over quota": (("create", "write", "fsync", "close"), "EDQUOT"),
    "read-only": (("create", "rename", "unlink", "mkdir", "rmdir"), "EROFS"),
    "broken": (CALLS, "EIO"),
    "broken for what changes": (CHANGING, "EIO"),
    "stale": (CALLS, "ESTALE"),
    "not ours": (("open", "create", "opendir", "unlink", "rename", "mkdir"), "EACCES"),
    "without descriptors": (("open", "create", "opendir"), "EMFILE"),
    "unreadable": (("read", "readdir"), "EIO"),
    "undeletable": (("unlink", "rmdir"), "EACCES"),
}
# Of each call and errno so many positions, at random: a command looks up thousands of names.
POSITIONS = 3


@dataclass(frozen=True)
class Fault:
    """One row of the table: which calls, counted together, what becomes of one, and of which.

    position: from 1; lasting: whether those that follow fail as well.
    """

    calls: tuple[str, ...]
    effect: str
    error: str
    position: int
    lasting: bool = False

    def __str__(self):
        names = self.calls[0] if len(self.calls) == 1 else f"{len(self.calls)} calls"
        what = f" {self.error}" if self.effect in ("fails", "falls short") else ""
        return f"{names} no. {self.position} {self.effect}{what}{' for good' * self.lasting}"


class Faults:
    """Commands with faults, each followed by the same in peace.  All is below `folder`."""

    def __init__(self, folder, nursery, rng, studies):
        self.folder, self.nursery, self.rng, self.studies = folder, nursery, rng, studies
        self.done, self.codes, self.tracebacks = Counter(), Counter(), Counter()
        self.unstruck = self.lost = self.double = self.differing = self.hung = 0
        self.strange, self.leftover, self.incomplete = [], [], []
        self.expected, self.reports, self.digests = {}, {}, {}
        self.last_traceback = ""
        self.longest = self.seconds_taken = 0.0

    @property
    def is_harmed(self):
        """Whether anything at all went wrong."""
        counts = self.lost, self.double, self.differing, self.hung
        return any(counts) or bool(self.leftover) or bool(self.strange) or bool(self.incomplete)

    def run(self, wanted):
        """So many faults, in random order, the table again where it is not long enough."""
        table = [
            (counted, command, fault)
            for counted in self.studies
            for command, counts in self.prepare(counted).items()
            for fault in faults_of(counts, self.rng)
        ]
        print(f"{wanted} of a table of {len(table)} faults", flush=True)
        start = said = time.monotonic()
        done = 0
        while done < wanted:
            self.rng.shuffle(table)
            for row in table[: wanted - done]:
                done += self.strike(*row)
                now = time.monotonic()
                if now - said > 10.0:
                    said, rate = now, max(done, 1) / (now - start)
                    left = clock((wanted - done) / rate)
                    print(f"{done}/{wanted} faults  {rate:.2f} faults/s  ETA {left}", flush=True)
        self.seconds_taken = time.monotonic() - start

    def prepare(self, counted):
        """The undisturbed stores of a study, and the calls of its commands: {command: counts}."""
        home = self.folder / counted
        home.mkdir()
        study = home / "study.toml"
        study.write_text(self.studies[counted])
        whole, counts = home / "whole", {}
        counts["run"] = self.in_peace("run", study, "--out", whole)["counts"]
        self.expected[counted] = contents_of_all(whole)
        self.reports[counted] = names_in(whole / "report")
        # Of a store in which much is missing: one block of every second point is there.
        part = shutil.copytree(whole, home / "part")
        shutil.rmtree(part / "report")
        for index, path in enumerate(sorted(part.rglob("*.h5"))):
            if index % 2:
                path.unlink()
        counts["go on"] = self.in_peace("run", study, "--out", self.copy(part))["counts"]
        for index in range(2):
            self.in_peace("run", study, "--out", home / f"shard{index}", "--shard", f"{index}/2")
        out = self.place()
        shards = [home / "shard0", home / "shard1"]
        counts["merge"] = self.in_peace("merge", *shards, "--out", out)["counts"]
        if contents_of_all(out).keys() != self.expected[counted].keys():
            raise RuntimeError("the undisturbed merge is not whole")
        counts["report"] = self.in_peace("report", self.copy(whole))["counts"]
        shutil.rmtree(out)
        self.digests = {path: digest(path) for path in self.sources()}
        return counts

    def sources(self):
        """Files that no command may change."""
        return [
            path
            for counted in self.studies
            for path in (self.folder / counted).rglob("*")
            if path.is_file()
        ]

    def in_peace(self, *arguments):
        """A command that must be right."""
        done = self.nursery.run(arguments)
        if done["code"] != 0:
            raise RuntimeError(f"{arguments} in peace ended with {done['code']}: {done['said']}")
        return done

    def place(self):
        """A new folder, not made."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        return out

    def copy(self, store):
        """One of a store, at that place."""
        return Path(shutil.copytree(store, self.place()))

    def strike(self, counted, command, fault):
        """One command with one fault, then in peace, then judged; whether the fault struck."""
        home = self.folder / counted
        if command == "go on":
            out = self.copy(home / "part")
        elif command == "report":
            out = self.copy(home / "whole")
            shutil.rmtree(out / "report")
        else:
            out = self.place()
        arguments = {
            "run": ("run", home / "study.toml", "--out", out),
            "go on": ("run", home / "study.toml", "--out", out),
            "merge": ("merge", home / "shard0", home / "shard1", "--out", out),
            "report": ("report", out),
        }[command]
        name = f"{counted}, {command}: {fault}"
        done = self.nursery.run(arguments, fault)
        if not done["struck"]:
            # Threads and retries: what is counted is not quite the same every time.
            self.unstruck += 1
            return False
        name += f" {done['where'].removeprefix(str(self.folder))}"
        self.look_at(name, fault, done)
        if done["code"] == 0:
            # Who says that it is done has done it.
            self.judge(name, counted, command, out, is_final=False)
        start = time.monotonic()
        again = self.nursery.run(arguments)
        self.longest = max(self.longest, time.monotonic() - start)
        self.hung += again["hung"]
        if again["code"] != 0:
            self.strange.append(f"{name}; in peace {again['code']}: {again['said'][-1500:]}")
        else:
            self.judge(name, counted, command, out, is_final=True)
        if any(not path.exists() or digest(path) != own for path, own in self.digests.items()):
            raise RuntimeError(f"{name}: a store that is only read has changed")
        self.done[command] += 1
        return True

    def look_at(self, name, fault, done):
        """How a disturbed command ended, and what it said."""
        self.hung += done["hung"]
        code, said = done["code"], done["said"]
        self.codes[code] += 1
        allowed = {0, 1, 2, 3, 75}
        if fault.effect.startswith("dies"):
            allowed = {-signal.SIGKILL}
        if code not in allowed or (code > 0 and not said.strip()):
            self.strange.append(f"{name}: exit code {code}: {said[-1500:]}")
        if "Traceback" in said:
            last = re.findall(r"^(\w[\w.]*(?:Error|Exception|Block|Warning)\b.*)$", said, re.M)
            self.tracebacks[re.sub(r"/\S+", "PATH", (last or ["?"])[-1])[:100]] += 1
            self.last_traceback = f"{name}\n{said[-3000:]}"

    def judge(self, name, counted, command, out, is_final):
        """Compare with the undisturbed; is_final: after a command in peace."""
        expected = self.expected[counted]
        missing, double, wrong, problems = compared(out, expected)
        there = set(names_in(out / "report"))
        if not is_final:
            if missing and command != "report":
                self.incomplete.append(f"{name}: exit code 0, but {missing} are missing")
            if command != "merge" and not there >= set(self.reports[counted]):
                self.incomplete.append(f"{name}: exit code 0, but the report is not whole")
            self.differing += wrong
            return
        left = [path for each in stores_in(out) for path in leftovers(each)]
        left = [path for path in left if not path.startswith("convergence")]
        reports = command == "merge" or names_in(out / "report") == self.reports[counted]
        if missing or double or wrong or problems or left or not reports:
            print(f"{name}: {missing} {double} {wrong} {problems} {left} {reports}", flush=True)
        self.lost += missing + (not reports)
        self.double += double
        self.differing += wrong + len(problems)
        self.leftover += [f"{name}: {path}" for path in left]

    def summary(self):
        """What was counted, for people."""
        done = ", ".join(f"{count} {name}" for name, count in self.done.items())
        codes = ", ".join(f"{count} times {code}" for code, count in sorted(self.codes.items()))
        lines = [
            f"{self.done.total()} faults ({done}) in {clock(self.seconds_taken)}, "
            f"{self.unstruck} more that met nothing; exit codes: {codes}",
            f"{self.lost} samples, cases or reports lost, {self.double} double, {self.differing} "
            f"with differing bits, {len(self.leftover)} leftover files, {self.hung} hung, "
            f"{len(self.strange)} strange ends, {len(self.incomplete)} times done without being "
            f"so, {self.tracebacks.total()} tracebacks",
            f"the longest command in peace took {self.longest:.1f} s",
        ]
        lines += [f"{count} times {what}" for what, count in self.tracebacks.most_common()]
        lines += [*self.leftover[:10], *self.strange[:10], *self.incomplete[:10]]
        return "\n".join([*lines, self.last_traceback]).rstrip()


def faults_of(counts, rng):
    """The faults of a command with so many calls: call x errno x a few positions of each."""

    def positions(count):
        return sorted(rng.sample(range(1, count + 1), min(count, POSITIONS)))

    table = []
    for call, count in counts.items():
        effects = [("fails", error) for error in ERRORS[call]]
        effects += [("dies before", "EIO"), ("dies after", "EIO")]
        if call in ("read", "write"):
            effects.append(("falls short", "EIO"))
        table += [
            Fault((call,), effect, error, position)
            for effect, error in effects
            for position in positions(count)
        ]
    for calls, error in LASTING.values():
        count = sum(counts[call] for call in calls)
        table += [Fault(calls, "fails", error, n, True) for n in positions(count)]
    # Half of the bytes, then no more room.
    table += [
        Fault(("write",), "falls short", "ENOSPC", n, True) for n in positions(counts["write"])
    ]
    return table


def stores_in(out):
    """A store and its variants."""
    return [out, *sorted((out / "convergence").glob("*"))]


def contents_of_all(out):
    """{(variant, point, sample): values} of a store and its variants."""
    return {
        (each.name if each != out else "", *key): values
        for each in stores_in(out)
        for key, values in contents(open_store(each))[0].items()
    }


def compared(out, expected):
    """(missing, double, differing, problems) of a store and its variants."""
    found, double, wrong, problems = set(), 0, 0, []
    for each in stores_in(out):
        name = each.name if each != out else ""
        own = {key[1:]: values for key, values in expected.items() if key[0] == name}
        with contextlib.suppress(ValueError):
            store = open_store(each)
            there, more, bad = contents(store)
            found |= {(name, *key) for key in there}
            double += more
            problems += bad
            wrong += differing(store, own)
    return len(expected.keys() - found), double, wrong, problems


def names_in(folder):
    """Of the files in a folder."""
    return sorted(path.name for path in folder.rglob("*"))


def digest(path):
    """What a file is known by."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
