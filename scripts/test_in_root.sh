#!/usr/bin/env bash
# Builds and tests the last commit in another release of Debian or Ubuntu.
#
#   bash scripts/test_in_root.sh [SUITE [FLOOR...]]
#
# SUITE  the release, as debootstrap names it: trixie (Debian 13, the default), noble (Ubuntu 24.04) ...
# FLOOR  as for ./run test; without one: sale net engine cli house
#
# Creates a root folder of that release in build/roots/SUITE and runs ./run demo and ./run test in it. The folder and
# its compiler cache are kept for the next run. The packages come from FIRSTCOME_MIRROR, or by default from
# deb.debian.org or archive.ubuntu.com. When the script has ended, nothing of it is mounted or running. It needs root
# and debootstrap. If one of them is missing, it prints a message and ends with 77.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh

suite=${1-trixie}
if [[ $# -gt 0 ]]; then shift; fi
floors=("$@")
if [[ ${#floors[@]} -eq 0 ]]; then floors=(sale net engine cli house); fi
root=$PWD/build/roots/$suite

skip() {
  echo "$suite IS NOT TESTED: $*" >&2
  exit 77
}

if ! command -v debootstrap >/dev/null; then skip "debootstrap is missing; ./run deps root"; fi
if [[ $EUID -ne 0 ]]; then skip "debootstrap needs root"; fi
if [[ ! -e /usr/share/debootstrap/scripts/$suite ]]; then skip "this debootstrap does not know it"; fi

mirror() {
  case "$suite" in
    focal | jammy | noble) echo http://archive.ubuntu.com/ubuntu ;;
    *) echo http://deb.debian.org/debian ;;
  esac
}

make_root() {
  local components=main
  if [[ $(mirror) == *ubuntu* ]]; then components=main,universe; fi
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase --components="$components" --include=ca-certificates,git \
    "$suite" "$root" "${FIRSTCOME_MIRROR-$(mirror)}"
  touch "$root/made"
}

# The sources of the last commit, without what was built from them.
copy_sources() {
  if [[ ! -e $root/firstcome/.git ]]; then git clone -q --no-hardlinks . "$root/firstcome"; fi
  git -C "$root/firstcome" fetch -q "$PWD" HEAD
  git -C "$root/firstcome" reset -q --hard FETCH_HEAD
}

# Mounts what programs need, for itself only, and runs what it is given in the root.
in_root() {
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -c '
    set -e
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec chroot "$0" /usr/bin/env -i HOME=/ TERM=dumb LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
      CCACHE_DIR=/ccache bash -c "cd /firstcome && $1"' "$root" "$1"
}

if [[ ! -e $root/made ]]; then make_root; fi
copy_sources
say "$suite: $(sed -n 's/^PRETTY_NAME=//p' "$root/etc/os-release")"
in_root "./run demo --exit"
in_root "./run test ${floors[*]}"
