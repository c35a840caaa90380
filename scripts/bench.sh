#!/usr/bin/env bash
# Measures the speed that the project promises, and prints each figure with its goal and a verdict.
#
#   ./run bench [--gate] [NAME...]
#
# ledger  the ledger alone: commands per second on one core
# engine  the engine in process and durable, with 10 000 operations in flight, compared with a bare SQLite loop that
#         inserts the same rows
# growth  the same with millions of reservations stored: speed, start-up time, memory, size of the write-ahead log
# http    durable reservations over HTTP, 64 connections, compared with nginx answering `return 200` with a body of the
#         same size; alternating runs of the same client
# http_floor  the HTTP server with nothing behind it, compared with the same nginx: the upper limit for `http`
# http_orders  durable reservations over HTTP with an order for each, compared with --orders none: the cost of orders
# single  one customer at a time on one connection, compared with one fdatasync and one GET /healthz
# locks   64 clients that wait for one lock on Redis, in 2, 8 and 16 processes: our FIFO lock, the protocols of
#         Redisson's RLock and RFairLock over the same transport, our lock under Redisson's rules, SET NX with retries,
#         and Redisson in Java if the tests have fetched it; then one process without contention
# redis   reservations on Redis, over HTTP and in process with 10 000 in flight, compared with redis-benchmark calling
#         the same script with one reservation per call; the speed with a million reservations stored, compared with
#         none; memory and traffic per reservation
# orders  from the outbox to Kafka, compared with Kafka's producer performance tool and the same number of messages;
#         from Kafka to PostgreSQL and MariaDB, compared with plain INSERT statements of 500 of the same rows, which are
#         synced to disk like ours; the whole way at 2 000 reservations a second
#
# Without a name it runs all of them, in this order. A comparison is made within one run on one machine, so only ratios
# can be compared between machines. With --gate the exit code is 1 if a goal is missed. It is always 1 if a benchmark
# did not run to its end. The output of each benchmark is kept in build/bench/NAME.log.
set -euo pipefail
# shellcheck source=scripts/common.sh
source scripts/common.sh

all=(ledger engine growth http http_floor http_orders single locks redis orders)
gate=no
names=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --gate) gate=yes ;;
    *)
      if [[ " ${all[*]} " != *" $1 "* ]]; then misused "bench: '$1' is none of ${all[*]}"; fi
      names+=("$1")
      ;;
  esac
  shift
done
if [[ ${#names[@]} -eq 0 ]]; then names=("${all[@]}"); fi

# What one of them uses besides the programs of this project.
groups_for() {
  case "$1" in
    http | http_floor | http_orders | single) echo http ;;
    locks) echo redis java ;;
    redis) echo redis http ;;
    orders) echo redis sql java ;;
  esac
}
mapfile -t needed < <(for name in "${names[@]}"; do groups_for "$name"; done | tr ' ' '\n')
bash scripts/deps.sh build bench "${needed[@]}"
build_preset bench >build/bench.build.log 2>&1 || {
  tail -n 40 build/bench.build.log >&2
  die "the benchmarks could not be built"
}

# run_one NAME: what it prints goes to the terminal, without the lines that the table is made of, and to its log.
run_one() {
  local command programs=build/bench/bench
  case "$1" in
    ledger | orders) command=("$programs/bench_$1") ;;
    locks)  # with Redisson in Java where the tests have fetched it
      local jars
      jars=$(find build -path '*/interop/target/libraries' -type d -print -quit)
      command=("$programs/bench_locks" ${jars:+--java "$PWD/$jars"})
      ;;
    engine | growth) command=("$programs/bench_engine" "$1" --folder build/bench) ;;
    *) command=(bash "bench/$1.sh") ;;
  esac
  "${command[@]}" 2>&1 | tee "build/bench/$1.log" | sed -u '/^figure /d'
}

figures=build/bench/figures
: >"$figures"
broken=()
for name in "${names[@]}"; do
  say "bench: $name"
  if ! run_one "$name" || ! grep '^figure ' "build/bench/$name.log" >>"$figures"; then broken+=("$name"); fi
done

# Lines are `figure NAME VALUE [>= GOAL | <= GOAL]`.
status=0
awk '
  BEGIN { printf "\n%-46s %14s   %-12s %s\n", "figure", "measured", "goal", "verdict" }
  {
    verdict = ""
    if (NF >= 5) {
      reached = ($4 == ">=") ? ($3 + 0 >= $5 + 0) : ($3 + 0 <= $5 + 0)
      verdict = reached ? "reached" : "MISSED"
      if (!reached) missed = 1
    }
    goal = (NF >= 5) ? $4 " " $5 : ""
    printf "%-46s %14s   %-12s %s\n", $2, $3, goal, verdict
  }
  END { exit missed }' "$figures" || status=1
if [[ ${#broken[@]} -gt 0 ]]; then
  echo "did not run to its end: ${broken[*]}"
  exit 1
fi
if [[ $gate == yes ]]; then exit "$status"; fi
