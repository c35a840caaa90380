#!/usr/bin/env bash
# Installs missing packages with apt.
#
#   ./run deps [GROUP...]
#
# build   what building the program needs
# tests   what building the tests needs, and running those tests that use no server
# redis, sql, java, http
#         servers and tools that some tests and benchmarks use: Redis; PostgreSQL and MariaDB; Java and Maven, for Kafka
#         and Redisson; nginx, wrk and curl
# bench   the library of the benchmarks
# form    clang-format and shellcheck
# tidy    clang-tidy
# root    debootstrap, for tests in another Debian
# all     all of these (the default; `test` means the same)
#
# Needs root or sudo only if something is missing. The services in these packages are not started: during the
# installation, and only then, a policy file (policy-rc.d) forbids it.
set -euo pipefail
# shellcheck source=scripts/common.sh
source scripts/common.sh

# Debian 12 has the Boost we need beside an older one, under names of its own.
boost=''
if grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release; then boost=1.81; fi

declare -A packages_of=(
  [build]="g++ cmake ninja-build libboost$boost-dev libboost-json$boost-dev libboost-url$boost-dev libsqlite3-dev
    libssl-dev libcli11-dev libspdlog-dev libfmt-dev prometheus-cpp-dev libhiredis-dev librdkafka-dev libpq-dev
    libmariadb-dev libsoci-dev"
  [tests]="git ccache procps libgtest-dev libgmock-dev libyaml-cpp-dev sqlite3"
  [redis]="redis-server redis-sentinel"
  [sql]="postgresql pgbouncer mariadb-server"
  [java]="maven default-jdk-headless"
  [http]="procps curl nginx-light wrk"
  [bench]="libbenchmark-dev"
  [form]="git clang-format-19 shellcheck"
  [tidy]="git clang-tidy-19"
  [root]="git debootstrap"
)

if [[ $# -eq 0 ]]; then set -- all; fi
wanted=()
for group in "$@"; do
  if [[ $group == all || $group == test ]]; then group=${!packages_of[*]}; fi
  for name in $group; do
    if [[ -z ${packages_of[$name]-} ]]; then misused "deps: '$name' is none of all ${!packages_of[*]}"; fi
    read -ra packages <<<"${packages_of[$name]//$'\n'/ }"
    wanted+=("${packages[@]}")
  done
done

missing() {
  local package
  while IFS= read -r package; do
    if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then echo "$package"; fi
  done < <(printf '%s\n' "${wanted[@]}" | sort -u)
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing needs root or sudo: $*"
  fi
}

# While it stands, no package's script starts a service. One that somebody else put there is left alone.
policy=/usr/sbin/policy-rc.d
mark='placed by firstcome for one installation'
remove_policy() {
  if grep -qs "$mark" "$policy"; then as_root rm -f "$policy"; fi
}

place_policy() {
  if [[ -e $policy ]]; then return; fi
  trap remove_policy EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}

command -v apt-get >/dev/null || die "this is not a Debian or Ubuntu; install by hand: ${wanted[*]}"
mapfile -t packages < <(missing)
if [[ ${#packages[@]} -eq 0 ]]; then exit 0; fi

say "installing ${packages[*]}"
place_policy
as_root apt-get update -qq || say "some package lists could not be fetched; going on with those that are there"
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2 ||
  die "apt-get could not install them"
mapfile -t packages < <(missing)
if [[ ${#packages[@]} -gt 0 ]]; then die "still missing after the installation: ${packages[*]}"; fi
