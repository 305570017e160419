#!/usr/bin/env bash
# Runs both README commands on a fresh Debian: debootstrap makes a minimal one in a folder, the
# current commit is cloned into it, and everything happens in a chroot with its own mounts and
# processes.  As root it starts with no python3 at all; an unprivileged user gets what README
# asks an administrator to install.
#
# Cost:    a minute or two for the Debian (kept in the folder, also for other releases), then what
#          the commands cost.  2 GB of disk a release.  Needs root and debootstrap, and no
#          container engine.
# Launch:  bash scripts/try_debian.sh RELEASE [WHO [COMMAND...]]
#              RELEASE   12 or 13
#              WHO       root (default), user, or none: root without PETSc and MPI
#              COMMAND   run at the root of the clone; default: scripts/fig1.sh, then scripts/test.sh
#          TRY_DEBIAN=DIR keeps the Debians elsewhere than in the temporary folder.
#          TRY_DEBIAN_KEEP=1 goes on in the machine of the last call, with the new commit.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
die() {
  printf 'try_debian: %s\n' "$*" >&2
  exit 2
}

[ $# -ge 1 ] || die "usage: scripts/try_debian.sh 12|13 [root|user|none [COMMAND...]]"
case $1 in
  12) suite=bookworm ;;
  13) suite=trixie ;;
  *) die "release $1: 12 and 13 are known" ;;
esac
release=$1 who=${2:-root}
case $who in
  root | user | none) ;;
  *) die "who = $who: root, user or none" ;;
esac
shift "$(($# < 2 ? $# : 2))"
command=("$@")
[ $# -gt 0 ] || command=(bash -c 'bash scripts/fig1.sh && bash scripts/test.sh')
[ "$(id -u)" = 0 ] || die "chroot needs root"
command -v debootstrap >/dev/null || die "debootstrap is not installed"

folder=${TRY_DEBIAN:-${TMPDIR:-/tmp}/try-debian}
base=$folder/$release machine=$folder/$release-$who
mkdir -p "$folder"
if [ ! -e "$base/.complete" ]; then
  printf 'try_debian: making a Debian %s in %s\n' "$release" "$base"
  rm -rf "$base"
  debootstrap --variant=minbase "$suite" "$base" >"$folder/$release.log" 2>&1 ||
    die "debootstrap failed: $folder/$release.log"
  touch "$base/.complete"
fi
if [ -z "${TRY_DEBIAN_KEEP:-}" ] || [ ! -e "$machine/.complete" ]; then
  rm -rf --one-file-system "$machine"
  cp -a "$base" "$machine"
fi

# What the network of this machine asks of its guests: names, proxies, an index, certificates.
for file in /etc/resolv.conf /etc/hosts; do
  [ ! -e "$file" ] || cp -L "$file" "$machine$file"
done
network=()
for name in http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_DEFAULT_TIMEOUT; do
  [ -z "${!name:-}" ] || network+=("$name=${!name}")
done
certificates=${PIP_CERT:-${SSL_CERT_FILE:-}}
if [ -e "$certificates" ]; then
  # Not where Debian keeps its own, which its package would write again.
  cp -L "$certificates" "$machine/etc/certificates-of-the-host.crt"
  network+=(PIP_CERT=/etc/certificates-of-the-host.crt SSL_CERT_FILE=/etc/certificates-of-the-host.crt)
fi

home=/root
[ "$who" != user ] || home=/home/physicist
clone=$home/manybody
if [ -e "$machine$clone/.git" ]; then
  git -C "$machine$clone" -c safe.directory='*' fetch -q "$root" HEAD
  git -C "$machine$clone" -c safe.directory='*' reset -q --hard FETCH_HEAD
else
  mkdir -p "$machine$home"
  git clone -q --no-hardlinks "$root" "$machine$clone"
fi
if [ "$who" = user ]; then
  grep -q '^physicist:' "$machine/etc/passwd" || chroot "$machine" useradd -s /bin/bash physicist
  chroot "$machine" chown -R physicist: "$home"
fi
chmod 1777 "$machine/tmp"

# shellcheck disable=SC2016
inside='
set -eu
machine=$1 who=$2 home=$3 clone=$4
shift 4
mount -t proc proc "$machine/proc"
mount --rbind /sys "$machine/sys"
mount -t tmpfs -o mode=755 tmpfs "$machine/dev"
for name in null zero full random urandom tty; do
  touch "$machine/dev/$name"
  mount --bind "/dev/$name" "$machine/dev/$name"
done
mkdir "$machine/dev/shm" "$machine/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$machine/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$machine/dev/pts"
ln -s pts/ptmx "$machine/dev/ptmx"
ln -s /proc/self/fd "$machine/dev/fd"
if [ "$who" = user ]; then
  chroot "$machine" sh -c "apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $PACKAGES" >/dev/null
  set -- setpriv --reuid=physicist --regid=physicist --init-groups "$@"
fi
exec chroot "$machine" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME="$home" LANG=C.UTF-8 TERM=dumb ${NETWORK} sh -c "cd \"$clone\" && exec \"\$@\"" sh "$@"
'
export PACKAGES
PACKAGES=$(sed -n 's/^debian_packages=(\(.*\)/\1/p; /^debian_packages=/,/)/{/^debian_packages=/d; s/)//; p}' \
  "$root/scripts/setup.sh" | tr -s '\n ' ' ')
[ "$who" != none ] || network+=(MANYBODY_PETSC=none)
export NETWORK="${network[*]}"
touch "$machine/.complete"
exec unshare --mount --pid --fork --ipc --uts bash -c "$inside" inside "$machine" "$who" "$home" \
  "$clone" "${command[@]}"
