#!/usr/bin/env bash
# Checks the sources with clang-format, clang-tidy and shellcheck.
#
#   ./run lint [--all] [--base COMMIT] [--only format|tidy|shell] [FILE...]
#
# clang-format and shellcheck check all files. clang-tidy is slow. It checks the given files. Without files it checks
# new files and those that differ from COMMIT (default: the last commit); with --all it checks all files. A changed
# header is checked through the source file beside it, or, if there is none, through the source files that include it.
# The exit code is 1 if something is found, and 77 if a tool is missing.
set -euo pipefail
# shellcheck source=scripts/common.sh
source scripts/common.sh

only=''
which=changed
base=HEAD
files=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --all) which=all ;;
    --base)
      base=${2-}
      shift
      ;;
    --only)
      only=${2-}
      shift
      ;;
    -*) misused "lint: no such option '$1'" ;;
    *) files+=("$1") ;;
  esac
  shift
done
case "$only" in
  '' | format | tidy | shell) ;;
  *) misused "lint: --only format, tidy or shell" ;;
esac

# A run of one check (the tests do that) installs nothing.
if [[ -z $only ]]; then bash scripts/deps.sh build tests bench form tidy; fi

need() {
  if ! command -v "$1" >/dev/null; then
    echo "run: $1 is missing; ./run deps all" >&2
    exit 77
  fi
}

wrong=0

check_format() {
  need clang-format-19
  sources all | xargs -r clang-format-19 --dry-run -Werror || {
    echo "run: ./run format --all puts that right" >&2
    wrong=1
  }
}

check_shell() {
  need shellcheck
  git ls-files --cached --others --exclude-standard -- run .ci/run '*.sh' | xargs -r shellcheck -x || wrong=1
}

# The sources through which the files on standard input can be looked at: themselves, or for a header its own source,
# else those that include it.
through_sources() {
  local file
  while IFS= read -r file; do
    if [[ $file == *.cpp ]]; then
      echo "$file"
    elif [[ -f ${file%.hpp}.cpp ]]; then
      echo "${file%.hpp}.cpp"
    else
      sources all | grep '\.cpp$' | xargs -r grep -lF "${file#*/}" || true
    fi
  done | sort -u
}

check_tidy() {
  need clang-tidy-19
  mkdir -p build
  cmake --preset lint >build/lint.configure.log 2>&1 || {
    cat build/lint.configure.log >&2
    die "cmake could not configure the preset 'lint'"
  }
  if [[ ${#files[@]} -eq 0 ]]; then mapfile -t files < <(sources "$which" "$base"); fi
  printf '%s\n' "${files[@]}" | through_sources | tr '\n' '\0' |
    xargs -0 -r -n 1 -P "$(jobs_at_once)" clang-tidy-19 -p build/lint --quiet 2>build/lint.tidy.log || {
    # The compiler's counts of suppressed warnings are left out; errors are not.
    grep -E 'error:' build/lint.tidy.log >&2 || true
    wrong=1
  }
}

wanted() { [[ -z $only || $only == "$1" ]]; }
if wanted format; then check_format; fi
if wanted shell; then check_shell; fi
if wanted tidy; then check_tidy; fi
exit "$wrong"
