#!/usr/bin/env bash
# Builds the program and starts the server.
#
#   ./run serve [options of `firstcome serve`]
#
# By default it listens on http://127.0.0.1:8080. It stops on Ctrl-C or SIGTERM.
# `./run serve -- --help` shows its options.
set -euo pipefail

bash scripts/build.sh >&2
if [[ ${1-} == -- ]]; then shift; fi
exec build/release/firstcome serve "$@"
