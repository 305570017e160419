#!/usr/bin/env bash
# Makes .venv at the repository root: this package, its tests, PETSc/SLEPc (complex scalars)
# and mpi4py where this machine can have them.
#
# Cost:    about a second when .venv is complete; one to two minutes on a fresh Debian as root;
#          25-45 minutes where PETSc has to be built from source (announced before it starts).
# Launch:  bash scripts/setup.sh
#          MANYBODY_PETSC=auto|existing|debian|pypi|none bash scripts/setup.sh
#              existing  a petsc4py/slepc4py that already imports (modules, conda, PETSC_DIR)
#              debian    Debian's packages, installed with apt-get when root or sudo allows it
#              pypi      PETSc and SLEPc compiled from their Python packages
#              none      the NumPy/SciPy engine alone
#              auto      the first of these that works (default; keeps a complete .venv)
#          PYTHON=/path/to/python3 names the interpreter to look at first.
#          To start afresh, remove .venv.
#
# scripts/fig1.sh and scripts/test.sh source this file: it leaves `root`, `venv_python` and
# the functions `find_launcher` and `choose_blas_kernels` behind.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
venv_python=$venv/bin/python
stamp=$venv/.manybody-setup
started=$venv/.manybody-setup-started
constraints=$venv/.manybody-constraints
debian_packages=(python3-venv python3-petsc4py-complex python3-slepc4py-complex
  libopenmpi-dev openmpi-bin)

say() { printf 'setup: %s\n' "$*"; }
die() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# An MPI library that finds the variables of mpirun or srun believes it is one of their ranks;
# what runs through here is one process on its own.
alone() {
  local name unset_names=()
  while IFS= read -r name; do
    case $name in
      OMPI_* | PMI* | PRTE* | HYDRA* | MPI_LOCAL* | PALS_* | FLUX_* | SLURM_*)
        unset_names+=(-u "$name")
        ;;
    esac
  done < <(compgen -e)
  env "${unset_names[@]}" timeout --foreground 300 "$@" </dev/null
}

# The environment must work without the PYTHONPATH it was set up under: what it needs from
# there is named in a .pth file.
in_venv() { env -u PYTHONPATH -u PYTHONHOME "$venv_python" "$@"; }
pip() { in_venv -m pip --disable-pip-version-check "$@"; }

# ------------------------------------------------------------------ what is there

# Arguments: route, and whether mpi4py belongs to it ("mpi"). Prints one line of versions, or fails with the reason.
check_environment() {
  (cd / && in_alone_venv -c '
import importlib.util
import os
import platform
import sys

root, route, mpi = sys.argv[1:]
spec = importlib.util.find_spec("manybody")
places = list(spec.submodule_search_locations or []) if spec else []
if [os.path.realpath(p) for p in places] != [os.path.realpath(os.path.join(root, "manybody"))]:
    sys.exit(f"manybody is not installed from {root}")
import h5py, numpy, scipy, threadpoolctl

found = [f"Python {platform.python_version()}", f"NumPy {numpy.__version__}"]
if route != "none":
    from petsc4py import PETSc
    from slepc4py import SLEPc

    if numpy.dtype(PETSc.ScalarType).kind != "c":
        sys.exit("this PETSc has real scalars; manybody needs complex ones")
    found.append("PETSc %d.%d.%d" % PETSc.Sys.getVersion())
    found.append("SLEPc %d.%d.%d" % SLEPc.Sys.getVersion())
if mpi == "mpi":
    import mpi4py
    from mpi4py import MPI

    found.append(f"mpi4py {mpi4py.__version__}")
    if route != "none":
        PETSc.Vec().create(MPI.COMM_SELF).destroy()
print(", ".join(found))
' "$root" "$1" "$2")
}
in_alone_venv() { alone env -u PYTHONPATH -u PYTHONHOME "$venv_python" "$@"; }

# Prints "complex|real<TAB>own|path<TAB>numpy version<TAB>directories for a .pth, colon-separated"
# for the interpreter $1 with PYTHONPATH entries $2, and fails when it has no PETSc for us.
probe_petsc() {
  (cd / && alone env ${2:+PYTHONPATH="$2"} "$1" -c '
import os
import site
import sys

if sys.version_info < (3, 11) or os.path.realpath(sys.prefix) == os.path.realpath(sys.argv[1]):
    sys.exit(1)
import numpy
import petsc4py
import slepc4py
from petsc4py import PETSc

if numpy.dtype(PETSc.ScalarType).kind != "c":
    print("real", "-", numpy.__version__, "", sep="\t")
    sys.exit(0)
from slepc4py import SLEPc

packages = [petsc4py, slepc4py]
try:
    import mpi4py
    packages.append(mpi4py)
except ImportError:
    pass
# A venv made from a venv sees the packages of neither, so those count as foreign.
own = []
if sys.prefix == sys.base_prefix:
    own = [os.path.realpath(p) for p in (*site.getsitepackages(), site.getusersitepackages())]
homes = [os.path.realpath(os.path.dirname(os.path.dirname(p.__file__))) for p in packages]
foreign = list(dict.fromkeys(home for home in homes if home not in own))
print("complex", "own" if len(foreign) < len(set(homes)) else "path", numpy.__version__,
      ":".join(foreign), sep="\t")
' "$venv") 2>/dev/null
}

interpreters() {
  local candidate path
  # shellcheck disable=SC2046
  for candidate in "${PYTHON:-}" python3 python /usr/bin/python3 \
    $(compgen -c python3. | grep -xE 'python3\.[0-9]+' | sort -ruV); do
    if path=$(command -v "$candidate" 2>/dev/null); then
      printf '%s\n' "$path"
    fi
  done | awk '!seen[$0]++'
}

can_apt() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

apt_install() {
  local log as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  log=$(mktemp)
  say "installing Debian packages: $*"
  if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# ------------------------------------------------------------------ making the environment

# Arguments: interpreter, then options of `python -m venv`. The marker goes in first, so that a
# killed set-up is told from an environment that somebody else made.
make_venv() {
  local interpreter=$1
  shift
  rm -rf "$venv"
  mkdir "$venv"
  : >"$started"
  alone "$interpreter" -m venv "$@" "$venv"
}

install_package() {
  local extras=$1
  [ -e "$constraints" ] || : >"$constraints"
  pip install -qq -c "$constraints" -e "${root}[$extras]"
}

has_mpi() {
  command -v mpirun >/dev/null || command -v mpiexec >/dev/null || command -v mpicc >/dev/null
}

# Argument: route. Sets `mpi` to "mpi", "serial" (no MPI here) or "broken" (it does not load).
install_mpi4py() {
  mpi=serial
  if ! has_mpi; then
    say "no MPI found (no mpirun, mpiexec or mpicc): manybody will run as one process"
    return 0
  fi
  if ! in_alone_venv -c 'from mpi4py import MPI' 2>/dev/null; then
    install_package mpi || true
    if ! in_alone_venv -c 'from mpi4py import MPI' 2>/dev/null && command -v mpicc >/dev/null; then
      say "the mpi4py wheel does not load with this MPI: compiling mpi4py"
      pip install -qq --force-reinstall --no-deps --no-cache-dir --no-binary mpi4py mpi4py || true
    fi
  fi
  if check_environment "$1" mpi >/dev/null; then
    mpi=mpi
  else
    mpi=broken
    pip uninstall -qq -y mpi4py || true
    say "mpi4py does not work with this MPI (above): manybody will run as one process"
  fi
}

# Debian's petsc4py 3.18 and many cluster builds predate NumPy 2; pyarrow has needed it since 26
# and does not say so to pip. Arguments: a NumPy version, what pip shall keep to.
constrain_numpy() {
  printf '%s\n' "${@:2}" >"$constraints"
  case $1 in
    1.*) printf 'pyarrow<26\n' >>"$constraints" ;;
  esac
}

# Arguments: route, the NumPy version that the PETSc bindings are known to work with.
finish_with_petsc() {
  install_package test,docs || return 1
  if ! check_environment "$1" serial >/dev/null 2>&1; then
    say "the PETSc bindings need an older NumPy: pinning numpy $2"
    constrain_numpy "$2" "numpy==$2"
    install_package test,docs && check_environment "$1" serial >/dev/null
  fi
}

# Arguments: route, interpreter, a line of probe_petsc.
build_on_petsc() {
  local kind owner numpy_version directories options=()
  IFS=$'\t' read -r kind owner numpy_version directories <<<"$3"
  [ "$kind" = complex ] || return 1
  if [ "$owner" = own ]; then options=(--system-site-packages); fi
  make_venv "$2" "${options[@]}" || return 1
  if [ -n "$directories" ]; then
    tr ':' '\n' <<<"$directories" >"$(in_venv -c \
      'import sysconfig; print(sysconfig.get_path("purelib"))')/manybody-petsc.pth"
  fi
  case $numpy_version in
    1.*) constrain_numpy "$numpy_version" 'numpy<2' ;;
    *) constrain_numpy "$numpy_version" ;;
  esac
  say "installing manybody and its Python dependencies"
  finish_with_petsc "$1" "$numpy_version"
}

route_existing() {
  local interpreter line
  while IFS= read -r interpreter; do
    line=$(probe_petsc "$interpreter" "${PYTHONPATH:-}") || continue
    case $line in
      real*)
        say "$interpreter has a PETSc with real scalars: not used, manybody needs complex ones"
        continue
        ;;
    esac
    say "using the PETSc that $interpreter imports"
    if build_on_petsc existing "$interpreter" "$line"; then return 0; fi
    say "that PETSc does not import from a fresh environment: not used"
  done < <(interpreters)
  reason="no Python here (3.11 or newer) imports a complex petsc4py together with slepc4py"
  return 1
}

# Prints the probe line of the first pair of Debian directories that imports.
probe_debian() {
  local petsc slepc line
  for petsc in /usr/lib/petscdir/*/*complex*/lib/python3/dist-packages; do
    for slepc in /usr/lib/slepcdir/*/*complex*/lib/python3/dist-packages; do
      [ -d "$petsc/petsc4py" ] && [ -d "$slepc/slepc4py" ] || continue
      line=$(probe_petsc /usr/bin/python3 "$petsc:$slepc") || continue
      # Only these two: the isolated environment gets NumPy and mpi4py from pip.
      IFS=$'\t' read -r _ _ line _ <<<"$line"
      printf 'complex\tpath\t%s\t%s:%s\n' "$line" "$petsc" "$slepc"
      return 0
    done
  done
  return 1
}

route_debian() {
  local package missing=() line
  if ! command -v dpkg-query >/dev/null; then
    reason="this is no Debian: there is no dpkg-query"
    return 1
  fi
  # A minimal image has none at all: python3-venv below brings it.
  if [ -e /usr/bin/python3 ] && ! /usr/bin/python3 -c \
    'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    reason="Debian's python3 is older than 3.11"
    return 1
  fi
  for package in "${debian_packages[@]}"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
      missing+=("$package")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    if can_apt; then
      apt_install "${missing[@]}" || say "apt-get could not install them (above)"
    else
      say "not installed, and this user is neither root nor has passwordless sudo: ${missing[*]}"
    fi
  fi
  if ! line=$(probe_debian); then
    reason="Debian's complex PETSc and SLEPc packages are not installed"
    return 1
  fi
  if ! build_on_petsc debian /usr/bin/python3 "$line"; then
    reason="Debian's PETSc did not work in a fresh environment (above)"
    return 1
  fi
}

# Can a program be linked with the MPI compiler and these options?
links() {
  local program status=0
  program=$(mktemp)
  printf 'int main(void) { return 0; }\n' | mpicc -x c - "$@" -o "$program" 2>/dev/null || status=1
  rm -f "$program"
  return "$status"
}

# One package after the other, each built against the directories of the ones before: left to
# itself, pip compiles PETSc once more for each package that needs it. And nothing from pip's
# cache: these wheels carry the path of the environment that they were built for.
compile_petsc() (
  export PIP_NO_CACHE_DIR=1
  unset PETSC_DIR PETSC_ARCH SLEPC_DIR
  PETSC_CONFIGURE_OPTIONS=$1 pip install -v petsc &&
    PETSC_DIR=$(in_venv -c 'import petsc; print(petsc.get_petsc_dir())') &&
    version=$(in_venv -c 'from importlib.metadata import version
print(".".join(version("petsc").split(".")[:2]))') &&
    export PETSC_DIR &&
    pip install -v "slepc==$version.*" &&
    SLEPC_DIR=$(in_venv -c 'import slepc; print(slepc.get_slepc_dir())') &&
    # The bindings only hand calls on: optimised as Python asks, they take 8 GB and many minutes.
    export SLEPC_DIR CFLAGS="-g0 -O1 ${CFLAGS:-}" && wheels=$(mktemp -d) &&
    # slepc4py is built beside a petsc4py, which is this one and not one more.
    pip wheel --no-deps -w "$wheels" "petsc4py==$version.*" &&
    pip install -f "$wheels" numpy "petsc4py==$version.*" "slepc4py==$version.*" &&
    rm -r "$wheels"
)

route_pypi() {
  local log
  if ! command -v mpicc >/dev/null || ! links || ! command -v make >/dev/null; then
    reason="a source build of PETSc needs make and an MPI C compiler (mpicc), not found here"
    return 1
  fi
  local configure=${PETSC_CONFIGURE_OPTIONS:-"--with-debugging=0 COPTFLAGS=-O2 CXXOPTFLAGS=-O2"}
  configure+=" --with-scalar-type=complex"
  if [ -z "${PETSC_CONFIGURE_OPTIONS:-}${MKLROOT:-}" ] && ! links -llapack -lblas &&
    ! links -lopenblas && ! links -lflexiblas; then
    # What runs programs is often there without the names that link them.
    if links -l:liblapack.so.3 -l:libblas.so.3; then
      configure+=" --with-blaslapack-lib=[-l:liblapack.so.3,-l:libblas.so.3]"
    else
      configure+=" --download-f2cblaslapack=1"
    fi
  fi
  make_plain_venv || return 1
  log=$(mktemp)
  say "compiling PETSc and SLEPc with complex scalars: this takes 25 to 45 minutes"
  say "(watch it: tail -f $log; stop it with Ctrl-C; MANYBODY_PETSC=none does without)"
  if ! compile_petsc "$configure" >"$log" 2>&1; then
    # What stopped configure or a compiler stands far above pip's traceback.
    grep -m 1 -A 12 -E 'UNABLE to |: (fatal )?error: |: \*\*\* ' "$log" >&2 ||
      tail -n 25 "$log" >&2
    reason="PETSc did not compile (above; whole log: $log)"
    return 1
  fi
  rm -f "$log"
  say "installing manybody and its Python dependencies"
  if ! finish_with_petsc pypi "$(in_venv -c 'import numpy; print(numpy.__version__)')"; then
    reason="the compiled PETSc does not import (above)"
    return 1
  fi
}

make_plain_venv() {
  local interpreter attempt
  for attempt in 1 2; do
    while IFS= read -r interpreter; do
      if alone "$interpreter" -c 'import ensurepip, sys, venv
sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.argv[1])' "$venv" 2>/dev/null; then
        make_venv "$interpreter"
        return
      fi
    done < <(interpreters)
    if [ "$attempt" = 2 ] || ! can_apt || ! apt_install python3-venv; then break; fi
  done
  reason="no Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv)"
  return 1
}

route_none() {
  make_plain_venv || return 1
  : >"$constraints"
  say "installing manybody and its Python dependencies"
  install_package test,docs
}

# ------------------------------------------------------------------ the set-up itself

setup_hash() { { cat "$root/pyproject.toml" "${BASH_SOURCE[0]}" && printf '%s' "$1"; } | sha256sum | cut -d' ' -f1; }

# Sets `route`, `mpi` and `complete` (1 when the stamp is up to date) from the stamp, or fails.
read_stamp() {
  local hash
  [ -e "$stamp" ] || return 1
  { read -r hash && read -r route && read -r mpi; } <"$stamp" || return 1
  complete=0
  if [ "$hash" = "$(setup_hash "$route")" ] && ! { [ "$mpi" = serial ] && has_mpi; }; then
    complete=1
  fi
  [ "$wanted" = auto ] || [ "$wanted" = "$route" ]
}

closing_lines() {
  say "$versions (PETSc route: $route, $([ "$mpi" = mpi ] && echo "with MPI" || echo "one process"))"
  say "'.venv/bin/python -m manybody doctor' tells more"
}

take_lock() {
  command -v flock >/dev/null || return 0
  exec {lock}<"$root"
  local status=0
  flock -n "$lock" || status=$?
  if [ "$status" = 1 ]; then
    say "another set-up of this checkout is running: waiting for it"
    flock "$lock" || true
  fi
}

# bash switches `set -e` off inside a condition, so the routes return every failure themselves.
try_route() {
  reason="the set-up failed (above)"
  route=$1
  "route_$1"
}

setup_environment() {
  wanted=${MANYBODY_PETSC:-auto}
  case $wanted in
    auto | existing | debian | pypi | none) ;;
    *) die "MANYBODY_PETSC is '$wanted'; it can be auto, existing, debian, pypi or none" ;;
  esac
  if read_stamp && [ "$complete" = 1 ] && versions=$(check_environment "$route" "$mpi" 2>/dev/null)
  then
    closing_lines
    return 0
  fi

  take_lock
  if [ -e "$venv" ] && [ ! -e "$started" ] && [ -n "$(ls -A "$venv")" ]; then
    die "$venv was not made by this script: move it away and call again"
  fi
  if read_stamp; then
    if [ "$complete" = 1 ] && versions=$(check_environment "$route" "$mpi"); then
      closing_lines # another set-up finished while this one waited
      return 0
    fi
    if [ "$complete" = 1 ]; then
      say "the environment no longer works (above; are the modules of its set-up loaded?): making it anew"
    elif rm "$stamp" && say "updating .venv" && install_package test,docs; then
      install_mpi4py "$route"
      if versions=$(check_environment "$route" "$mpi"); then
        write_stamp
        closing_lines
        return 0
      fi
    fi
  fi

  local attempt reason made=0 attempts=("$wanted")
  [ "$wanted" != auto ] || attempts=(existing debian pypi none)
  for attempt in "${attempts[@]}"; do
    if try_route "$attempt"; then
      made=1
      break
    fi
    say "$attempt: $reason"
  done
  [ "$made" = 1 ] || die "no environment was made"
  install_mpi4py "$route"
  versions=$(check_environment "$route" "$mpi") || die "the new environment does not work (above)"
  if [ "$route" = none ]; then
    say "without PETSc and SLEPc there are no Redfield steady states, no gaps and slow modes," \
      "no sparse level statistics, no assembled operator and no steppers ts-* and mfn-*;" \
      "trace distances, the figure and everything else are computed all the same"
  fi
  write_stamp
  closing_lines
}

write_stamp() {
  printf '%s\n' "$(setup_hash "$route")" "$route" "$mpi" >"$stamp.new"
  mv "$stamp.new" "$stamp"
}

# ------------------------------------------------------------------ for the scripts that source this

# Sets the array `launcher` to a command that starts $1 ranks, after seeing it do so: an mpirun
# of another MPI than mpi4py's starts ranks that each believe they are alone.
find_launcher() {
  local ranks=$1 command candidate crowded
  launcher=()
  [ "$mpi" = mpi ] || return 1
  # Open MPI refuses to start as root, which is what a container runs as, without these.
  if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  for candidate in mpirun mpiexec ${SLURM_JOB_ID:+srun}; do
    command=$(command -v "$candidate") || continue
    for crowded in no yes; do
      if [ "$crowded" = yes ]; then
        "$command" --version 2>&1 | grep -qiE 'open[- ]?(mpi|rte)|prte' || continue
        # More ranks than cores, which then leave the cores to each other; the second in the
        # words of Open MPI 5.
        export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 \
          PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
      fi
      launcher=("$command" -n "$ranks")
      if timeout --foreground -k 5 60 "${launcher[@]}" "$venv_python" -c \
        "from mpi4py import MPI; raise SystemExit(MPI.COMM_WORLD.size != $ranks)" \
        </dev/null >/dev/null 2>&1; then
        return 0
      fi
    done
  done
  launcher=()
  return 1
}

# NumPy before 2 brings an OpenBLAS that does not recognise CPUs younger than itself and then
# multiplies matrices several times slower than it could.
choose_blas_kernels() {
  local core
  core=$(in_alone_venv -c 'from manybody.system.blas import better_core_type, blas_summary, cpu_flags
print(better_core_type(blas_summary(), cpu_flags())[0])') || return 0
  if [ -n "$core" ]; then
    export OPENBLAS_CORETYPE=$core
    printf 'OpenBLAS does not choose the best kernels for this CPU: OPENBLAS_CORETYPE=%s is set\n' "$core"
  fi
}

setup_environment
# Else the lock would last as long as what the calling script starts.
if [ -n "${lock:-}" ]; then exec {lock}<&-; fi
