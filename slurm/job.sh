# What the templates of this folder share; sourced by them inside a Slurm job.
#
# MANYBODY_ROOT      the checkout, when the job is not submitted from it
# MANYBODY_PYTHON    the interpreter, when it is not the checkout's .venv
# MANYBODY_LAUNCHER  what starts the ranks; default mpirun, which takes their number and places
#                    from Slurm.  "srun --mpi=pmix" where the site prefers it.
# They travel from the shell of sbatch into the job, as do loaded modules.
# shellcheck shell=bash

# 2 is bad input, as everywhere in manybody: such a job ends, it is not tried again.
die() {
  printf '%s: %s\n' "${SLURM_JOB_NAME:-job}" "$*" >&2
  exit 2
}

python=${MANYBODY_PYTHON:-$checkout/.venv/bin/python}
[ -x "$python" ] || die "no Python at $python: run scripts/setup.sh, or set MANYBODY_PYTHON"

# Ranks x threads = cores.  More ranks are faster than more threads; where memory allows only few
# ranks, --cpus-per-task=4 gives each four cores, and BLAS four threads below (Open MPI then has
# to bind a rank to all four: MANYBODY_LAUNCHER="mpirun --map-by slot:PE=4").
#
# The BLAS kernel: `srun -n 1 .venv/bin/python -m manybody doctor`, on a node like those of the
# job, prints the OPENBLAS_CORETYPE to export before sbatch.  The last bits of results depend on
# kernel and threads, so neither should change in the life of a store; where nodes differ,
# --constraint pins their type.  Python must find all of these set when it starts.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
threads=${SLURM_CPUS_PER_TASK:-1}
# Since Slurm 22.05 srun does not take this from sbatch.
export SRUN_CPUS_PER_TASK=$threads

ranks=${SLURM_NTASKS:-1}
launch=()
if [ "$ranks" -gt 1 ]; then
  read -ra launch <<<"${MANYBODY_LAUNCHER:-mpirun}"
fi

# Runs `manybody run` with the options given and returns its exit code.
#
# Slurm's signal goes to this shell alone (--signal=B:), because an mpirun on the node of the shell
# belongs to no job step and would never see it otherwise.  mpirun and srun pass USR1 on to every
# rank; TERM they take for themselves, and ranks under mpirun live two seconds longer.
run() {
  local code
  printf '%s: on %s, %s rank(s) x %s thread(s), restart %s\n' "$SLURM_JOB_NAME" \
    "$SLURM_JOB_NODELIST" "$ranks" "$threads" "${SLURM_RESTART_COUNT:-0}" >&2
  "${launch[@]}" "$python" -m manybody run "$@" --threads "$threads" &
  child=$! cancelled="" asked=""
  trap 'interrupted=yes; asked=yes; kill -s USR1 "$child" || true' USR1
  # At a scancel or the time limit Slurm itself sends TERM to everything in the job.  The shell
  # only has to outlive the ranks: when it ends, Slurm kills what is left.
  trap 'interrupted=yes; cancelled=yes' TERM
  # A trapped signal ends `wait`, not what it waits for.
  interrupted=yes
  while [ -n "$interrupted" ]; do
    interrupted=""
    code=0
    wait "$child" || code=$?
  done
  # 138: killed by our USR1 in the second before Python listens; nothing was begun.
  if [ "$code" = 138 ] && [ -n "$asked" ]; then code=75; fi
  return "$code"
}

# Ends the job with an exit code of `run`.  75 says "stopped in good order, run me again" and is
# the only one that does: after any other a second attempt would meet the same fate.
finish() {
  local code=$1 job=$SLURM_JOB_ID
  # The last task of an array has the job id of the whole array.
  [ -z "${SLURM_ARRAY_JOB_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
  if [ "$code" = 75 ] && [ -z "$cancelled" ]; then
    if scontrol requeue "$job"; then
      printf '%s: stopped at a checkpoint, job %s is queued again\n' "$SLURM_JOB_NAME" "$job" >&2
    else
      printf '%s: stopped at a checkpoint, and Slurm does not requeue job %s: submit it again\n' \
        "$SLURM_JOB_NAME" "$job" >&2
    fi
  fi
  exit "$code"
}
