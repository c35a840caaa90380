#!/usr/bin/env bash
# Builds the program, as users run it: build/release/firstcome.
#
#   ./run build [PRESET [TARGET...]]
#
# The default preset is `release`: optimised, with debug symbols and assertions, without tests. The other presets are
# `dev` (with the tests, AddressSanitizer and UndefinedBehaviorSanitizer), `tsan` (with the tests and ThreadSanitizer)
# and `bench` (with the benchmarks). Each preset builds into its own folder below build/. Missing packages are installed
# first.
set -euo pipefail
# shellcheck source=scripts/common.sh
source scripts/common.sh

preset=${1-release}
if [[ $# -gt 0 ]]; then shift; fi
case "$preset" in
  release) bash scripts/deps.sh build ;;
  dev | tsan) bash scripts/deps.sh build tests ;;
  bench) bash scripts/deps.sh build bench ;;
  *) misused "build: release, dev, tsan or bench, not '$preset'" ;;
esac
build_preset "$preset" "$@"
