#!/usr/bin/env bash
# Sends one crowd to each known way to sell, and shows which ways oversell and what each way costs.
#
#   ./run compare [--quick] [options of `firstcome rush compare`]
#
# Installs what is missing and builds. Starts PostgreSQL, MariaDB, Redis (and three more for Redlock) and Kafka on free
# ports and in temporary folders, runs `firstcome rush compare` on them, and stops them. Without options it runs the
# coupon scenario on all ways, 10 s each, twice, the second time in reverse order. Then it does the same with a payment
# of 5 ms inside the guard. This takes about 45 minutes. `--scenario all` takes hours.
#
# --quick  without PostgreSQL, MariaDB and Kafka, 0.8 s for each way, once: under 90 seconds after the build
# --json FILE, --html FILE, --picture FILE, --ways IDS, --scenario NAME, --fault NAME ...: see docs/compare.md, or
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
