#!/usr/bin/env bash
# Runs every check of the project: ruff, mypy, the whole test suite without a launcher, each file
# in one of a few processes (tests/mpi among them: one rank), and tests/mpi
# again on 2 and 3 ranks. All of them run whatever fails; the exit status is 0 only when all
# passed, and the last line counts the tests and checks.
#
# The templates of slurm/ are tested on a Slurm that the tests start themselves; as root on a
# Debian without one, its packages (slurm-wlm, munge) are installed, else those tests are skipped.
#
# Cost:    the set-up of scripts/setup.sh on the first call, then 7 to 12 minutes on two cores.
# Launch:  bash scripts/test.sh
set -euo pipefail

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$root"

export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MPLBACKEND=Agg PYTHONFAULTHANDLER=1
choose_blas_kernels
# Or each of the many processes of the tests would compile the package, and each worker all tests.
unset PYTHONDONTWRITEBYTECODE
# A machine with a part of Slurm belongs to a cluster: nothing is added to that. And slurmd starts
# jobs as root alone, so for anybody else its package would be of no use. The package of munge may
# start its service, which the tests leave alone; those of Slurm start nothing unconfigured.
if ! command -v sbatch >/dev/null && [ "$(id -u)" = 0 ] && can_apt; then
  apt_install slurm-wlm munge || say "apt-get could not install Slurm (above): not tested"
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

passed=0 failed=0 skipped=0
summary=()

# Arguments: word, file. The number before the word in pytest's closing line.
count() {
  local number
  number=$(grep -E '[0-9]+ (passed|failed|errors?|skipped|deselected).* in [0-9]' "$2" |
    tail -n 1 | grep -oE "[0-9]+ $1" | grep -oE '[0-9]+' || true)
  printf '%s' "${number:-0}"
}

# Arguments: name, exit status, log of a pytest run or nothing.
record() {
  local name=$1 status=$2 log=${3:-} verdict=passed broken=0
  [ "$status" = 0 ] || verdict="failed (exit status $status)"
  if [ -n "$log" ]; then
    broken=$(($(count failed "$log") + $(count 'errors?' "$log")))
    passed=$((passed + $(count passed "$log")))
    skipped=$((skipped + $(count skipped "$log")))
  elif [ "$status" = 0 ]; then
    passed=$((passed + 1))
  fi
  # A check that fails without a failed test of its own, a hang for one, counts as one.
  if [ "$status" != 0 ] && [ "$broken" = 0 ]; then broken=1; fi
  failed=$((failed + broken))
  summary+=("$name: $verdict")
}

# Arguments: name, command.
check() {
  local name=$1 status=0
  shift
  printf -- '---- %s\n' "$name"
  "$@" || status=$?
  record "$name" "$status"
}

check "ruff" "$venv_python" -m ruff check .
check "ruff format" "$venv_python" -m ruff format --check .
check "mypy" "$venv_python" -m mypy

printf -- '---- tests\n'
status=0
cores=$("$venv_python" -c 'from manybody.system.blas import usable_cores; print(usable_cores())')
# A file has fixtures that its tests share, the Slurm for one: it stays in one process. Some
# wait for jobs and launchers, hence one process more than cores.
timeout --foreground -k 30 3600 "$venv_python" -m pytest -q -n "$((cores < 8 ? cores + 1 : 8))" \
  --dist loadfile --no-loadscope-reorder -o faulthandler_timeout=600 --durations=15 \
  2>&1 | tee "$logs/serial" || status=$?
record "tests" "$status" "$logs/serial"

# Rank 0 speaks; the others write to files that are shown when something fails. A rank that
# waits for one that has failed would wait for ever: hence the time limits, of a test (its ranks
# show where they are, tests/conftest.py ends them) and of all.
# shellcheck disable=SC2016
quiet_ranks='rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-${PMIX_RANK:-${SLURM_PROCID:-0}}}}
logs=$1; shift
if [ "$rank" = 0 ]; then exec "$@"; fi
exec "$@" >"$logs/rank-$rank" 2>&1'

for ranks in 2 3; do
  name="tests/mpi on $ranks ranks"
  printf -- '---- %s\n' "$name"
  if [ "$mpi" != mpi ]; then
    printf 'not run: no MPI with mpi4py here\n'
    summary+=("$name: not run, no MPI with mpi4py here")
    continue
  fi
  # Bound to cores, ranks beside other work wait for each other's.
  export OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_hwloc_default_binding_policy=none
  if ! find_launcher "$ranks"; then
    printf 'mpi4py is here, but no launcher starts %s ranks that see each other\n' "$ranks"
    record "$name" 1
    continue
  fi
  rm -f "$logs"/rank-*
  status=0
  # Every rank must draw the same examples, or their collective calls do not meet.
  timeout --foreground -k 15 900 "${launcher[@]}" bash -c "$quiet_ranks" ranks "$logs" \
    "$venv_python" -m pytest -q --color=no -p no:cacheprovider --hypothesis-seed=0 \
    -o faulthandler_timeout=120 tests/mpi </dev/null 2>&1 | tee "$logs/mpi" || status=$?
  if [ "$status" != 0 ]; then
    for log in "$logs"/rank-*; do
      [ -e "$log" ] || continue
      printf -- '---- %s, %s says:\n' "$name" "$(basename "$log")"
      tail -n 60 "$log"
    done
  fi
  record "$name" "$status" "$logs/mpi"
done

printf -- '----\n'
printf '%s\n' "${summary[@]}"
printf '%s passed, %s failed' "$passed" "$failed"
if [ "$skipped" != 0 ]; then printf ', %s skipped' "$skipped"; fi
printf '\n'
[ "$failed" = 0 ]
