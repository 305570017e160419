#!/usr/bin/env bash
# Computes the small version of the paper's figure 1 and draws it.
#
# Cost:    the set-up of scripts/setup.sh on the first call; then the study `paper-fig1-small`,
#          about half a minute on two ranks.  Stopped half-way, it goes on where it was.
# Launch:  bash scripts/fig1.sh [OUT_DIR]        (default: results/paper-fig1-small)
set -euo pipefail

caller_directory=$PWD
# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

out=${1:-$root/results/paper-fig1-small}
case $out in
  /*) ;;
  *) out=$caller_directory/$out ;;
esac
cd "$root"

export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1} OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
choose_blas_kernels

if find_launcher 2; then
  printf 'fig1: %s\n' "${launcher[*]} python -m manybody run paper-fig1-small --out $out"
else
  printf 'fig1: no working MPI launcher with mpi4py here, so the study runs as one process\n'
fi
"${launcher[@]}" "$venv_python" -m manybody run paper-fig1-small --out "$out"
