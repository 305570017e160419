#!/usr/bin/env bash
# Runs the checks against other versions of what the project depends on, each in an environment
# of its own that is removed afterwards; without PETSc and MPI, which no index has ready.
#
# Cost:    resolve: seconds a Python; oldest, newest: a minute to install, then the suite.
# Launch:  bash scripts/try_versions.sh resolve            every Python that pyproject.toml names
#                                                          finds wheels of all dependencies
#          bash scripts/try_versions.sh oldest [TESTS...]  the lower bounds of pyproject.toml
#          bash scripts/try_versions.sh newest [TESTS...]  what an index has today
#          PYTHON=/path/to/python3 names the interpreter.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:-}
shift || true
python=${PYTHON:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Prints requirements of pyproject.toml: "all", "oldest" (runtime, at their lower bounds), or
# the Pythons it names.
requirements() {
  "$python" - "$1" <<'END'
import re, sys, tomllib

project = tomllib.load(open("pyproject.toml", "rb"))["project"]
if sys.argv[1] == "pythons":
    for line in project["classifiers"]:
        if found := re.search(r"Python :: (3\.\d+)$", line):
            print(found[1])
elif sys.argv[1] == "oldest":
    optional = project["optional-dependencies"]
    for line in [*project["dependencies"], *optional["mpi"], *optional["parquet"]]:
        name, bound = line.split(">=")
        print(f"{name}=={bound}" if bound.count(".") > 1 else f"{name}~={bound}.0")
else:
    optional = project["optional-dependencies"]
    print("\n".join([*project["dependencies"], *optional["mpi"], *optional["test"], *optional["docs"]]))
END
}

pip() { "$folder/venv/bin/python" -m pip --disable-pip-version-check "$@"; }
"$python" -m venv "$folder/venv"
pip install -q --upgrade pip
: >"$folder/constraints"

case $what in
  resolve)
    requirements all >"$folder/all"
    for version in $(requirements pythons); do
      pip install -q --dry-run --ignore-installed --target "$folder/none" --only-binary=:all: \
        --python-version "$version" -r "$folder/all"
      printf 'Python %s: wheels of all dependencies\n' "$version"
    done
    exit 0
    ;;
  oldest) requirements oldest >"$folder/constraints" ;;
  newest) ;;
  *)
    printf 'usage: scripts/try_versions.sh resolve|oldest|newest [TESTS...]\n' >&2
    exit 2
    ;;
esac

pip install -qq -c "$folder/constraints" -e '.[test,docs]'
pip list | grep -iE '^(numpy|scipy|h5py|matplotlib|threadpoolctl|cattrs|pandas|xarray|pyarrow) '
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MPLBACKEND=Agg
status=0
"$folder/venv/bin/python" -m mypy --cache-dir "$folder/mypy" || status=1
"$folder/venv/bin/python" -m pytest -q -p no:cacheprovider -n "$(env -u OMP_NUM_THREADS nproc)" --dist loadfile "$@" ||
  status=1
exit "$status"
