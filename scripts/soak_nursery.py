"""Runs many short commands, a call to the system going wrong in each: for scripts/soak.py.

Commands are run by a process that has imported everything and forks for each: a thousand take
minutes. Loaded before the C library, syscall_faults.c counts the calls below a folder and lets
one of them fail, fall short, or be the last of its process.
"""

import ctypes
import errno
import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from launching import environment

SOURCE = Path(__file__).with_name("syscall_faults.c")
# In the order of the C file.
CALLS = (
    *("open", "create", "read", "write", "fsync", "rename", "unlink", "mkdir", "rmdir"),
    *("close", "flock", "opendir", "readdir", "stat"),
)
EFFECTS = ("fails", "falls short", "dies before", "dies after")
# Seconds.  Claims of the dead whose owner is not known are stale after a few.
LONGEST = 60.0


class Control(ctypes.Structure):
    """As in the C file."""

    _fields_ = (
        ("calls", ctypes.c_int),
        ("effect", ctypes.c_int),
        ("error", ctypes.c_int),
        ("position", ctypes.c_int),
        ("lasting", ctypes.c_int),
        ("counted", ctypes.c_int),
        ("struck", ctypes.c_int),
        ("counts", ctypes.c_int * len(CALLS)),
        ("where", ctypes.c_char * 256),
        ("folder", ctypes.c_char * 1024),
    )


def build(folder):
    """The library for LD_PRELOAD, None where there is no compiler that makes one."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / "syscall_faults.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    return library if subprocess.run(command).returncode == 0 else None


class Nursery:
    """A process that has imported all and forks for every command; use with `with`."""

    def __init__(self, library, folder):
        self._library, self._folder = library, folder

    def __enter__(self):
        own = environment(LD_PRELOAD=str(self._library))
        paths = [*filter(None, sys.path), own.get("PYTHONPATH", "")]
        own["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=own,
        )
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, arguments, fault=None):
        """What became of one command: code, hung, struck, counts by call, where, said."""
        log = self._folder / "said"
        request = {
            "arguments": [str(each) for each in arguments],
            "folder": str(self._folder),
            "log": str(log),
            "fault": None,
        }
        if fault is not None:
            request["fault"] = [
                sum(1 << CALLS.index(call) for call in fault.calls),
                EFFECTS.index(fault.effect),
                getattr(errno, fault.error),
                fault.position,
                int(fault.lasting),
            ]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer | {"said": log.read_text("utf-8", errors="replace")}


def serve():
    """The nursery itself: a request a line."""
    from manybody import cli
    from manybody.parallel import claims
    from manybody.solve import checkpoints, spread, stacked

    # As in soak.PROGRAM: what is taken for a long sample.
    stacked._LARGE_ABOVE, spread._MOST_APPLICATIONS, checkpoints._PATIENCE = 20, 20.0, 0.0
    claims.HEARTBEAT_SECONDS, claims.STALE_AFTER_SECONDS = 0.2, 1.0
    library = ctypes.CDLL(None)
    memory = mmap.mmap(-1, ctypes.sizeof(Control))
    control = Control.from_buffer(memory)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        ctypes.memset(ctypes.addressof(control), 0, ctypes.sizeof(Control))
        control.folder = os.fsencode(request["folder"])
        if request["fault"] is not None:
            control.calls, control.effect, control.error, control.position, control.lasting = (
                request["fault"]
            )
        pid = os.fork()
        if pid == 0:
            _be_born(request)
            library.faults_arm(ctypes.byref(control))
            _live(cli.main, request["arguments"])
        code, hung = _ended(pid)
        answer = {
            "code": code,
            "hung": hung,
            "struck": bool(control.struck),
            "counts": dict(zip(CALLS, control.counts)),
            "where": os.fsdecode(control.where),
        }
        print(json.dumps(answer), file=answers, flush=True)


def _be_born(request):
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, place)


def _live(main, arguments):
    """What an interpreter does with a program, without what it does at its own end."""
    code = 1
    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended(pid):
    """(exit code or -signal, whether it had to be killed) of a child."""
    end = time.monotonic() + LONGEST
    while True:
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status), False
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return -signal.SIGKILL, True
        time.sleep(0.002)


if __name__ == "__main__":
    serve()
