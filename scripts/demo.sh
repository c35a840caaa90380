#!/usr/bin/env bash
# Opens four sales, sends thousands of customers to each, prints a verdict, and keeps the server running until Ctrl-C.
#
#   ./run demo [options of `firstcome demo`]
#
# Installs only what the build needs, builds the program, and runs `firstcome demo`.
# `./run demo -- --help` shows its options.
set -euo pipefail

bash scripts/build.sh
if [[ ${1-} == -- ]]; then shift; fi
exec build/release/firstcome demo "$@"
