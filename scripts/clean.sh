#!/usr/bin/env bash
# Removes everything that was built: the folder build/.
#
#   ./run clean
set -euo pipefail
# shellcheck source=scripts/common.sh
source scripts/common.sh

if [[ $# -gt 0 ]]; then misused "clean takes no arguments"; fi
rm -rf build
