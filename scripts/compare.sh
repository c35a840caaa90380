#!/usr/bin/env bash
# Lets one crowd loose on every known way to sell, and shows which oversell and what each costs.
#
#   ./run compare [--quick] [options of `firstcome rush compare`]
#
# Installs what is missing, builds, starts PostgreSQL, MariaDB, Redis (and three more for Redlock) and Kafka on free ports
# in temporary folders, runs `firstcome rush compare` on them, and stops them. Without options: the coupon on all ways, 10 s
# each, two repeats in crossed order, then once more with a payment of 5 ms inside the guard: about 45 minutes.
# `--scenario all` takes hours.
#
# --quick  SQLite and Redis, embedded and redis only, 0.8 s each, once: under 90 seconds after the build.
# --json FILE, --html FILE, --picture FILE, --ways IDS, --scenario NAME, --fault NAME ...: docs/compare.md, or
# `./run compare -- --help`.
set -euo pipefail
# shellcheck source=scripts/common.sh
source scripts/common.sh

needed=(build bench redis)
if [[ " $* " != *" --quick "* ]]; then needed+=(sql java); fi
bash scripts/deps.sh "${needed[@]}"
build_preset bench firstcome bench_compare_servers >build/compare.build.log 2>&1 || {
  tail -n 40 build/compare.build.log >&2
  die "the comparison could not be built"
}
if [[ ${1-} == -- ]]; then shift; fi

quick=no
payment=no
for argument in "$@"; do
  case "$argument" in
    --quick) quick=yes ;;
    --pay-delay-ms* | --fault* | --list | --help) payment=said ;;
  esac
done
if [[ $quick == no && $payment == no ]]; then set -- --pay-delay-ms 5 "$@"; fi
exec build/bench/bench/bench_compare_servers build/bench/firstcome "$@"
