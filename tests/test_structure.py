"""The house: imports point one way, and each door is the only one."""

import ast
import functools
import re
from pathlib import Path

import pytest

import manybody

PACKAGE = Path(manybody.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


@functools.cache
def nodes(path):
    """All that a file is made of."""
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


@functools.cache
def imports(path):
    """Full names a file imports, anywhere in it."""
    names = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def floor(name):
    parts = name.split(".")
    return parts[1] if parts[0] == "manybody" and len(parts) > 1 else None


# A floor may import itself, what users are told by and those named here.
ALLOWED = {
    "arrays": set(),
    "seeding": set(),
    "errors": set(),
    "system": {"arrays"},
    "physics": {"arrays"},
    "numerics": {"arrays", "system"},
    "parallel": {"arrays", "system"},
    "solve": {"arrays", "system", "physics", "numerics", "parallel"},
    "study": {"arrays", "seeding", "system", "physics", "numerics", "parallel", "solve"},
    "report": {"arrays", "system", "physics", "parallel", "solve", "study"},
    "papers": {"arrays", "seeding", "system", "physics", "parallel", "study", "report"},
    "networks": {"papers"},
    # Beside the command line, whose parser and kinds it describes, and above all else.
    "docs": {"system", "physics", "study", "papers", "networks", "cli"},
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    relative = path.relative_to(PACKAGE).parts
    own = relative[0] if len(relative) > 1 else relative[0].removesuffix(".py")
    assert own in ALLOWED or own in ("__init__", "__main__", "cli")
    for name in imports(path):
        target = floor(name)
        if own in ALLOWED and target is not None:
            assert target in {own, "errors", *ALLOWED[own]}, f"{own} imports {name}"
            # Never the commands, which show the pages.
            assert own != "docs" or target != "cli" or name.split(".")[2] in ("kinds", "parser")
        top = name.split(".")[0]
        if top in ("petsc4py", "slepc4py"):
            assert relative[:2] == ("numerics", "petsc"), f"{path} imports {name}"
        if top == "mpi4py":
            # Windows take more than a communicator can do.
            allowed = (("cli", "communicator.py"), ("parallel", "node_memory.py"))
            assert relative in allowed, f"{path} imports {name}"
        if top == "qutip":
            place = ("papers", "snm", "hierarchy", "states.py")
            assert relative == place, f"{path} imports {name}"


def test_comm_world_is_named_in_one_place():
    naming = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        if any(
            isinstance(node, ast.Attribute) and node.attr == "COMM_WORLD" for node in nodes(path)
        )
    }
    assert naming == {"cli/communicator.py"}


def test_no_cycles():
    module = {
        path: ".".join(("manybody", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in FILES
    }
    names = set(module.values())
    graph = {}
    for path, own in module.items():
        if path.name == "__init__.py":
            continue
        targets = set()
        for name in imports(path):
            for candidate in (name, name.rpartition(".")[0]):
                if candidate in names:
                    targets.add(candidate)
        graph[own] = targets
    done, path = set(), []

    def visit(node):
        assert node not in path, f"import cycle: {' -> '.join([*path, node])}"
        if node in done or node not in graph:
            return
        path.append(node)
        for target in graph[node]:
            visit(target)
        path.pop()
        done.add(node)

    for node in graph:
        visit(node)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_have_one_subject(path):
    assert len(path.read_text("utf-8").splitlines()) <= 500


PARTS = re.compile(r"\.get(PC|KSP|ST|SNES|Operators|BV|DS|RG|Mat|Solution|Rhs|VecSolution)\(")


def test_parts_of_solvers_are_handed_back():
    """A handle that Python drops on one rank alone lets the end of a run wait for ever."""
    for path in FILES:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if PARTS.search(line):
                assert "freed(" in line, f"{path}:{number}"
