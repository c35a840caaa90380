#!/usr/bin/env bash
# Opens four sales, sends each a crowd of thousands, prints a verdict, and leaves the server up until Ctrl-C.
#
#   ./run demo [options of `firstcome demo`]
#
# Installs what building needs and nothing else, builds the program, and runs `firstcome demo`.
# `./run demo -- --help` shows its options.
set -euo pipefail

bash scripts/build.sh
if [[ ${1-} == -- ]]; then shift; fi
exec build/release/firstcome demo "$@"
