#!/usr/bin/env bash
# Measures what the project promises of its speed, and prints each figure with its goal and a verdict.
#
#   ./run bench [--gate] [NAME...]
#
# ledger  the ledger alone: commands per second on one core
# engine  in process and durable, 10 000 in flight, against a bare SQLite loop inserting the same rows
# growth  the same with millions of reservations stored: speed, start-up, memory, the write-ahead log
# http    durable reservations over HTTP, 64 connections, against nginx answering `return 200` with a body of the same
#         size; alternating runs of the same client
# http_floor  the HTTP server with nothing behind it, against the same nginx: the ceiling of `http`
# http_orders  the same with an order for each, against --orders none: what writing orders costs the sale
# locks   64 waiters for one lock on Redis in 2, 8 and 16 processes: our FIFO lock, the protocols of Redisson's RLock and
#         RFairLock over the same transport, our lock under Redisson's rules, SET NX tried again, and Redisson in Java
#         where the tests have fetched it; then one process without contention
# redis   reservations on Redis, over HTTP and in process with 10 000 in flight, against redis-benchmark calling the same
#         script with one reservation a call; with a million stored, against none; memory and traffic a reservation
# orders  from the outbox to Kafka, against Kafka's own producer performance tool with as many messages; from Kafka to
#         PostgreSQL and MariaDB, against plain INSERT statements of 500 of the same rows, synced to disk as ours are; the
#         whole way at 2 000 reservations a second
# single  one customer at a time on one connection, against one fdatasync and one GET /healthz
#
# Without a name: all of them, in this order. Each compares within one run on one machine, so that figures of two machines
# can be compared as ratios only. --gate ends with 1 where a goal is missed. What the programs print is kept in
# build/bench/NAME.log.
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
