#!/usr/bin/env bash
# Builds the program, as users run it: build/release/firstcome.
#
#   ./run build [PRESET [TARGET...]]
#
# Without a preset it is `release`: optimised, with symbols and with its assertions on, without tests. The others are
# `dev` (AddressSanitizer and UndefinedBehaviorSanitizer, with the tests), `tsan` (ThreadSanitizer) and `bench`; each
# has a folder of its own below build/. Installs what is missing first.
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
