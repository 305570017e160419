"""The command line as data: every command with its options, examples and exit codes."""

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from manybody import __version__
from manybody.errors import meant
from manybody.parallel.signals import INTERRUPTED, STOPPED
from manybody.study.configuration import FORMATS

# Of a run in which samples have failed.
FAILED = 3
_LOOKING = {
    0: "done",
    1: "the machine refuses a file, memory or a library: one sentence; or a mistake of this "
    "program: a traceback",
    2: "bad input: one sentence that names it",
}
_RUNNING = {
    **_LOOKING,
    2: "bad input: one sentence that names it, nothing is written",
    FAILED: "done but for what has failed and is recorded: the same command tries it again",
    STOPPED: "stopped by SIGTERM, SIGUSR1 or SIGHUP after what was at hand: the same command "
    "goes on",
    INTERRUPTED: "stopped by Ctrl-C after what was at hand, or at once by a second one: the same "
    "command goes on",
}
_STUDY = "a built-in study (see 'studies') or a TOML file"
_WIDEST = 98


# Their values may begin with a dash, which argparse takes for an option's.
_ANY_VALUE = ("--petsc-options", "--shard")


class _Parser(argparse.ArgumentParser):
    """One that takes ``--shard -1/3`` for a value, to be judged as any other."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        for index in reversed(range(len(given) - 1)):
            value = given[index + 1]
            if given[index] in _ANY_VALUE and re.match("-[^-]", value):
                given[index : index + 2] = [f"{given[index]}={value}"]
        return super().parse_known_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        """End with what is wrong, and what was probably meant."""
        option = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        command = re.search(r"COMMAND: invalid choice: '(.+?)'", message)
        if option:
            message += self._about_option(option[1])
        super().error(message + (meant(command[1], commands_of(self)) if command else ""))

    def _about_option(self, text: str) -> str:
        """Which other commands have it, or which options are near."""
        options = {name: own._option_string_actions for name, own in commands_of(self).items()}
        owners = [name for name, own in options.items() if text in own]
        if owners:
            return f"; it is an option of {', '.join(owners)}"
        return meant(text, dict.fromkeys(each for own in options.values() for each in own))


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parser of every command, by its name."""
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return {name: own for group in groups for name, own in group.choices.items()}


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m manybody``, with one of its own for every command.

    Its texts are folded to the terminal, 100 columns at most.
    """
    parser = _Parser(
        prog="manybody",
        **_texts(
            "Redfield, Davies and further master equations side by side, averaged over disorder.",
            ["manybody studies", "manybody run paper-fig1-small", "manybody run --help"],
            _RUNNING,
        ),
    )
    parser.add_argument("--version", action="version", version=f"manybody {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser
    )
    looking = (_status, _merge, _compare, _report, _studies, _doctor, _docs)
    for add in (_plan, _run, _sample, *looking):
        add(commands)
    return parser


def _width() -> int:
    return min(_WIDEST, shutil.get_terminal_size().columns - 2)


def _texts(description: str, examples: Sequence[str], codes: Mapping[int, str]) -> dict[str, Any]:
    """What argparse prints above and below the options."""
    fold = partial(textwrap.fill, width=_width(), break_on_hyphens=False)
    lines = [
        fold(text, initial_indent=f"  {code:>3}  ", subsequent_indent=7 * " ")
        for code, text in codes.items()
    ]
    shown = [f"  {example}" for example in examples]
    return {
        "description": fold(description),
        "epilog": "\n".join(["examples:", *shown, "", "exit codes:", *lines]),
        "formatter_class": partial(
            argparse.RawDescriptionHelpFormatter, width=_width(), max_help_position=28
        ),
    }


def _plan(commands: Any) -> None:
    parser = commands.add_parser(
        "plan",
        help="what a study will cost: memory, time, ranks",
        **_texts(
            "What a study will cost, size by size: applications of the generator, seconds, "
            "memory, and the ranks that would be of use.  Measures how fast this machine is, "
            "computes and writes nothing, and says what a run would refuse.",
            [
                "manybody plan paper-fig1",
                "manybody plan scaling-large --ranks 64",
                "manybody plan paper-fig1 --set samples=20",
            ],
            _LOOKING,
        ),
    )
    _add_study(parser)
    parser.add_argument(
        "--ranks", type=int, default=1, metavar="N", help="ranks of the run to plan (default 1)"
    )
    _add_group_size(parser)
    _add_models(parser)


def _run(commands: Any) -> None:
    parser = commands.add_parser(
        "run",
        help="compute a study, or what is missing of it",
        **_texts(
            "Compute a study, or what is missing of it, and write its report.  The same command "
            "goes on where a run was stopped; what a study has been extended by is computed "
            "alone.  Under mpirun or srun all ranks share the work.",
            [
                "manybody run paper-fig1-small",
                "mpirun -n 2 manybody run mine.toml --out results/mine",
                "manybody run paper-fig1-small --set samples=4 --set bath.beta=1.0 --out try",
                "manybody run paper-fig1 --out DIR --shard 3/16",
            ],
            _RUNNING,
        ),
    )
    _add_study(parser)
    parser.add_argument(
        "--out", metavar="DIR", help="the store; made if needed (default results/<study name>)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="BLAS threads of each rank (default 1)"
    )
    parser.add_argument(
        "--petsc-options", metavar="TEXT", help="as on PETSc's command line; replaces the study's"
    )
    _add_group_size(parser)
    _add_models(parser)
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="only the blocks whose index is I modulo N, I from 0: for the tasks of a job array",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _sample(commands: Any) -> None:
    parser = commands.add_parser(
        "sample",
        help="compute one sample of a store again",
        **_texts(
            "Compute one sample of a store again, print its numbers and say whether the store "
            "agrees.  Writes nothing.",
            [
                "manybody sample DIR --size 8 --index 17",
                "manybody sample DIR --size 4 --model anderson3d --where disorder=5",
            ],
            {**_LOOKING, 1: f"the sample differs from the store's; or {_LOOKING[1]}"},
        ),
    )
    parser.add_argument("directory", metavar="DIR", help="a store")
    parser.add_argument("--size", type=int, help="as in the study; of samples")
    parser.add_argument("--index", type=int, default=0, help="of the sample, from 0 (default 0)")
    parser.add_argument("--model", help="where several have this size")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter, also one left to its default, or change of the system, where several "
        "have this size; may be repeated",
    )
    _add_models(parser)


def _status(commands: Any) -> None:
    parser = commands.add_parser(
        "status",
        help="what a store holds and what is missing",
        **_texts(
            "What a store holds of its study, what is running, missing, torn and failed, and how "
            "long the rest will take.  Reads every block and changes nothing.",
            ["manybody status results/paper-fig1"],
            _LOOKING,
        ),
    )
    parser.add_argument("directory", metavar="DIR", help="a store")


def _merge(commands: Any) -> None:
    parser = commands.add_parser(
        "merge",
        help="several stores of one study into one",
        **_texts(
            "Several stores of one study into one, in any order and as often as you like.  "
            "Samples that two of them hold must agree; a block that does not is named and left "
            "out.",
            ["manybody merge A B C --out ALL"],
            {**_LOOKING, 1: f"blocks were left out; or {_LOOKING[1]}"},
        ),
    )
    parser.add_argument("directories", metavar="DIR", nargs="+", help="stores")
    parser.add_argument("--out", required=True, metavar="DIR", help="made if needed; may be a DIR")


def _compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare-stores",
        help="two stores against each other, sample by sample",
        **_texts(
            "Two stores against each other, sample by sample: how many have equal bits, and the "
            "largest changes.",
            ["manybody compare-stores results/a results/b"],
            _LOOKING,
        ),
    )
    parser.add_argument("left", metavar="A", help="a store")
    parser.add_argument("right", metavar="B", help="a store of a study with the same seed")


def _report(commands: Any) -> None:
    parser = commands.add_parser(
        "report",
        help="figures and tables of stores",
        **_texts(
            "Figures and tables of each store, complete or not, in DIR/report: index.html is one "
            "file to read offline.  It is written whole or not at all.  Stores of one study are "
            "joined by merge, two of any set against each other by compare-stores.",
            [
                "manybody report results/paper-fig1 results/lamb-shift",
                "manybody report DIR --format csv --format parquet",
                "manybody report DIR --figure growth --format pdf",
            ],
            _LOOKING,
        ),
    )
    parser.add_argument("directories", metavar="DIR", nargs="+", help="stores")
    parser.add_argument("--format", action="append", choices=FORMATS, help="may be repeated")
    parser.add_argument(
        "--figure", metavar="NAME", help="this figure alone, as the report names it (png, pdf)"
    )


def _studies(commands: Any) -> None:
    parser = commands.add_parser(
        "studies",
        help="list the built-in studies, or show one",
        **_texts(
            "The built-in studies and what their systems are, or the TOML text of one to begin "
            "with.",
            ["manybody studies", "manybody studies --show lamb-shift > mine.toml"],
            _LOOKING,
        ),
    )
    parser.add_argument("--show", metavar="NAME", help="the TOML text of this one")


def _doctor(commands: Any) -> None:
    commands.add_parser(
        "doctor",
        help="what this machine offers and what is missing",
        **_texts(
            "What this machine offers, what is missing, what that costs and what to do about it.",
            ["manybody doctor"],
            _LOOKING,
        ),
    )


def _docs(commands: Any) -> None:
    parser = commands.add_parser(
        "docs",
        help="pages to read: tutorial, how-tos, references, physics",
        **_texts(
            "Pages to read on this terminal: tutorial, how-tos, references of keys, commands and "
            "Python names, physics, architecture, glossary.  Without PAGE: what there is.",
            ["manybody docs", "manybody docs keys", "manybody docs compare"],
            _LOOKING,
        ),
    )
    parser.add_argument(
        "page",
        metavar="PAGE",
        nargs="?",
        help="a page, a name of Python (compare), a command (run), a key of a study (beta) or a "
        "word of the glossary (gap)",
    )


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help=_STUDY)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of the study with another value, as TOML has it: samples=4, "
        "bath.coupling=0.3, systems.0.n_sites=[8,16]; may be repeated",
    )


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="run the modules that the study names as models: they may do anything",
    )
    parser.add_argument(
        "--models",
        metavar="FOLDER",
        help="where modules and files of the study's models lie (default: beside the study file)",
    )


def _add_group_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--group-size",
        metavar="N",
        help="ranks that share a sample, or auto; replaces the study's",
    )
