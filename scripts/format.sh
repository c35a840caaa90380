#!/usr/bin/env bash
# Formats the sources in place.
#
#   ./run format [--all | FILE...]
#
# Without arguments it formats new files and files that differ from the last commit.
set -euo pipefail
# shellcheck source=scripts/common.sh
source scripts/common.sh

bash scripts/deps.sh form
case "${1-}" in
  '') mapfile -t files < <(sources changed) ;;
  --all) mapfile -t files < <(sources all) ;;
  -*) misused "format: no such option '$1'" ;;
  *) files=("$@") ;;
esac
if [[ ${#files[@]} -gt 0 ]]; then clang-format-19 -i "${files[@]}"; fi
say "formatted ${#files[@]} files"
