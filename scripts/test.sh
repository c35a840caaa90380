#!/usr/bin/env bash
# Runs the tests and ends with one line: N passed, N failed, N skipped.
#
#   ./run test [--nightly] [FLOOR...]
#
# FLOOR  sale, net, lock, engine, payment, events, api, rush, cli; or `system`, which runs the release build as a
#        process and kills it, `interop`, which shares locks with Java programs (fetched by Maven), or `house`, which
#        checks the sources. Without FLOOR it runs all of them, as CI does.
# --nightly
#        Runs the random tests and the crash tests for many rounds, then all tests under ThreadSanitizer, then
#        clang-tidy over all sources, then ./run demo and the tests of some floors in a Debian 13
#        (scripts/test_in_root.sh).
#
# Installs what is missing. Builds the program as users run it (build/release) and the tests with AddressSanitizer and
# UndefinedBehaviorSanitizer (build/dev). The exit code is 0 only if nothing failed. A test is skipped if something that
# it needs is missing, and is listed at the end. With FIRSTCOME_REQUIRE_ALL=1 in the environment, as in CI, a skipped
# test counts as failed. FIRSTCOME_ROUNDS=N and FIRSTCOME_SEED=N set the rounds and the seed of the random tests.
# FIRSTCOME_PROGRAM=PATH names another program to run as the process.
set -euo pipefail
# shellcheck source=scripts/common.sh
source scripts/common.sh

floors=(sale net lock engine payment events api rush cli system interop house)
nightly=no
chosen=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --nightly) nightly=yes ;;
    *)
      if [[ " ${floors[*]} " != *" $1 "* ]]; then misused "test: '$1' is none of ${floors[*]}"; fi
      chosen+=("$1")
      ;;
  esac
  shift
done
if [[ ${#chosen[@]} -eq 0 ]]; then chosen=("${floors[@]}"); fi

passed=0
failed=0
skipped=0
timings=()
skips=()
failures=()

# timed NAME COMMAND...: notes how long it took; a failure is counted and does not end the run.
timed() {
  local name=$1 started=$SECONDS status=0
  shift
  say "$name"
  "$@" || status=$?
  timings+=("$(minutes $((SECONDS - started)))  $name")
  return "$status"
}

is_chosen() { [[ " ${chosen[*]} " == *" $1 "* ]]; }

# The test programs there are for what was chosen, and what they run. Asks the configured build folder.
targets_of() {
  local preset=$1 name
  for name in "${chosen[@]}"; do
    # No pipe: `grep -q` would end it after the first name, and a find that is not done yet with it.
    if [[ -n $(find "tests/$name" -name '*.cpp' -print -quit) ]]; then echo "${name}_tests"; fi
  done
  # Everything: also what no test links, and the public headers on their own.
  if [[ ${#chosen[@]} -eq ${#floors[@]} && $preset != tsan ]]; then echo all; fi
}

build_tests() {
  local targets
  mapfile -t targets < <(targets_of "$1")
  if [[ ${#targets[@]} -eq 0 ]]; then die "there are no tests of ${chosen[*]}"; fi
  build_preset "$1" "${targets[@]}"
}

# One attribute of the <testsuite> in what ctest wrote.
count_of() { sed -n "s/.*[ \t]$2=\"\([0-9]*\)\".*/\1/p;T;q" "$1"; }

# Of the report on standard input, the names of tests with this status.
names_with() { sed -n "s/.*<testcase name=\"\([^\"]*\)\".* status=\"$1\".*/\1/p"; }

# run_tests PRESET NAME LABEL...: the tests with one of these labels, from the folder of this preset.
run_tests() {
  local preset=$1 name=$2
  shift 2
  local labels log=$PWD/build/$preset/test.log report=$PWD/build/$preset/test.xml status=0
  labels="^($(IFS='|' && echo "$*"))\$"
  rm -f "$report"
  # Passed tests are left out of what is printed; the log has them.
  # One more than there are cores: many tests wait for a server or for a time.
  (cd "build/$preset" && ctest --output-on-failure -j "$(($(nproc) + 1))" -L "$labels" --output-junit "$report" </dev/null) 2>&1 |
    tee "$log" | awk '
      / Test +#[0-9]+: .*( Passed |\*\*\*Skipped)/ { if (++done % 100 == 0) { print done " tests done"; fflush() } next }
      /^ +Start +[0-9]+: / || /^(Test project|Internal ctest|Label Time|Total Test time)/ || /^[a-z]+ +=.*sec\*proc/ { next }
      NF { print; fflush() }' || status=$?
  if [[ ! -s $report ]]; then
    failures+=("$name: ctest itself")
    failed=$((failed + 1))
    return
  fi
  local total bad left_out
  total=$(count_of "$report" tests)
  bad=$(count_of "$report" failures)
  left_out=$(($(count_of "$report" skipped) + $(count_of "$report" disabled)))
  mapfile -t -O "${#failures[@]}" failures < <(names_with fail <"$report" | sed "s/^/$name: /")
  mapfile -t -O "${#skips[@]}" skips < <(names_with '\(notrun\|disabled\)' <"$report" | sed "s/^/$name: /")
  failed=$((failed + bad))
  skipped=$((skipped + left_out))
  passed=$((passed + total - bad - left_out))
  # No test at all, or a fault of ctest's own, must not look like success.
  if ((total == 0 || (status != 0 && bad == 0))); then
    failures+=("$name: no test ran, or ctest failed ($status)")
    failed=$((failed + 1))
  fi
}

# needed NAME COMMAND...: a step without which the rest has no sense.
needed() {
  if ! timed "$@"; then
    failed=$((failed + 1))
    failures+=("$1")
    summary
  fi
}

# What one floor's tests use besides what all do.
groups_for() {
  case "$1" in
    net) echo redis java ;;
    lock | cli | engine) echo redis sql ;;
    events) echo sql java ;;
    interop) echo redis java ;;
    system) echo redis sql java http ;;
    house) echo form ;;
  esac
}

install_missing() {
  local groups name
  mapfile -t groups < <(for name in "${chosen[@]}"; do groups_for "$name"; done | tr ' ' '\n')
  if [[ $nightly == yes ]]; then groups+=(bench form tidy root); fi
  bash scripts/deps.sh build tests "${groups[@]}"
}

without() {
  local name
  for name in "${chosen[@]}"; do
    if [[ $name != "$1" ]]; then echo "$name"; fi
  done
}

summary() {
  local line
  if [[ ${FIRSTCOME_REQUIRE_ALL-} == 1 && $skipped -gt 0 ]]; then
    failed=$((failed + skipped))
    skipped=0
    failures+=("${skips[@]/%/ (skipped, and nothing may be)}")
    skips=()
  fi
  echo
  for line in "${timings[@]}"; do echo "$line"; done
  echo "$(minutes "$SECONDS")  in all"
  for line in ${skips[@]+"${skips[@]}"}; do echo "SKIPPED $line"; done
  for line in ${failures[@]+"${failures[@]}"}; do echo "FAILED $line"; done
  echo "$passed passed, $failed failed, $skipped skipped"
  if ((failed > 0)); then exit 1; fi
}

main() {
  needed "install what is missing" install_missing
  local program=$PWD/build/release/firstcome
  if [[ -z ${FIRSTCOME_PROGRAM-} ]] && { is_chosen system || is_chosen cli || is_chosen house; }; then
    needed "build the program" build_preset release
    export FIRSTCOME_PROGRAM=$program
  fi
  needed "build the tests" build_tests dev

  if [[ $nightly == no ]]; then
    timed "tests" run_tests dev tests "${chosen[@]}"
  else
    run_nightly
  fi
  summary
}

run_nightly() {
  local others
  mapfile -t others < <(without system)
  if [[ ${#others[@]} -gt 0 ]]; then
    FIRSTCOME_ROUNDS=${FIRSTCOME_ROUNDS-20000} timed "tests, long rounds" run_tests dev tests "${others[@]}"
  fi
  if is_chosen system; then
    FIRSTCOME_ROUNDS=${FIRSTCOME_ROUNDS-500} timed "kills, long rounds" run_tests dev kills system
  fi
  needed "build for ThreadSanitizer" build_tests tsan
  mapfile -t others < <(without house)
  if [[ ${#others[@]} -gt 0 ]]; then
    FIRSTCOME_PROGRAM=$PWD/build/tsan/firstcome timed "tests under ThreadSanitizer" run_tests tsan tsan "${others[@]}"
  fi
  needed "clang-tidy over everything" bash scripts/lint.sh --all --only tidy
  passed=$((passed + 1))
  test_in_root trixie
}

# Counts as one test.
test_in_root() {
  local status=0
  timed "in $1" bash scripts/test_in_root.sh "$1" || status=$?
  case "$status" in
    0) passed=$((passed + 1)) ;;
    77)
      skipped=$((skipped + 1))
      skips+=("in $1")
      ;;
    *)
      failed=$((failed + 1))
      failures+=("in $1")
      ;;
  esac
}

main
