#!/usr/bin/env bash
# Reservations on Redis: over HTTP, in process with 10 000 in flight, and with a million of them stored.
#
# The anchor is redis-benchmark, which calls the engine's own script with one reservation per call from 64 connections:
# the speed of a design in which every request is one call. Each call is for another customer with another key, of 16
# bytes each, and comes from a node that the script knows. All calls have the sequence 2^48. The sale keeps only its
# lowest six bytes, which are 0, so the script never mistakes a call for a repetition. (Many different nodes would be
# slower, and the script would refuse a random sequence.) All parts use memory durability and run in turn on one server.
# Each part has its own sale with the same terms. The figures are medians.
#
# BENCH_ROUNDS sets the number of rounds, BENCH_SECONDS the length of a run over HTTP, BENCH_STORED the number of stored
# reservations.
set -euo pipefail
# shellcheck source=bench/server.sh
source bench/server.sh

rounds=${BENCH_ROUNDS-5}
seconds=${BENCH_SECONDS-3}
stored=${BENCH_STORED-1000000}
in_process=${FIRSTCOME_BENCH_REDIS-build/bench/bench/bench_redis}

start_redis() {
  reserve_port
  redis_port=$reserved_port
  redis_url=redis://127.0.0.1:$redis_port
  redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --dir "$work" --logfile "$work/redis.log" &
  redis_pid=$!
  started+=("$redis_pid")
  wait_until 10 ask_redis PING >"$work/ping" || {
    cat "$work/redis.log" >&2
    return 1
  }
}

ask_redis() { redis-cli -p "$redis_port" "$@" 2>/dev/null | tr -d '\r' | grep .; }

# counter SECTION NAME: a number of INFO.
counter() { ask_redis INFO "$1" | sed -n "s/^$2[:=]\([0-9]*\).*/\1/p"; }
calls() { ask_redis INFO commandstats | sed -n 's/^cmdstat_evalsha:calls=\([0-9]*\),usec=\([0-9]*\).*/\1 \2/p'; }

# prepare SALE: makes it; sets hash, stream, store and sha.
prepare() { read -r hash stream store sha < <("$in_process" prepare "$redis_url" "$1"); }

# measure COMMAND...: runs it; sets what it needed of Redis: script_calls, script_us, bytes_in, bytes_out.
measure() {
  ask_redis CONFIG RESETSTAT >"$work/ok"
  "$@"
  read -r script_calls script_us < <(calls)
  bytes_in=$(counter stats total_net_input_bytes) bytes_out=$(counter stats total_net_output_bytes)
}

each() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4g", a / b }'; }

# stored_in HASH: how many reservations, each of three fields.
stored_in() { echo $(($(ask_redis HLEN "$1") / 3)); }

# --- the three that are compared; each sets rate ---

anchor() {
  rate=$(redis-benchmark -p "$redis_port" -c 64 -n "$anchor_calls" -r 1000000000 --csv EVALSHA "$anchor_sha" 2 \
    "$anchor_hash" "$anchor_stream" anchor-1 281474976710656 0 128 changes "$anchor_store" 0 any \
    R cust__rand_int__ 1 '' key-__rand_int__ | awk -F '","' 'NR == 2 { printf "%.0f", $2 }')
}

run_in_process() { rate=$("$in_process" run "$redis_url" "$1" "$2" "$3"); }

over_http() {
  local out answers micros refused broken
  out=$(wrk -t1 -c64 -d"${seconds}s" -s bench/reserve.lua "$server_url" -- "$1" http | grep '^done ')
  read -r _ answers micros refused broken _ rest99 _ <<<"$out"
  if ((refused + broken > 0)); then
    echo "HTTP: $refused refused, $broken broken connections: this run is not valid" >&2
    exit 1
  fi
  answered=$answers
  rate=$(awk -v n="$answers" -v t="$micros" 'BEGIN { printf "%.0f", n / t * 1e6 }')
}

start_redis
prepare anchor
anchor_hash=$hash anchor_stream=$stream anchor_store=$store anchor_sha=$sha
prepare crowd
crowd_hash=$hash
prepare http
http_hash=$hash
start_firstcome --engine "$redis_url"

# --- side by side ---

anchor_calls=5000
anchor
run_in_process crowd 0 20000
over_http warm
http_answered=$answered
anchor_calls=20000
crowd_size=60000
theirs=() ours=() https=() ratios=() http_ratios=() p99s=() their_us=() our_us=() http_us=()
for ((round = 1; round <= rounds; round++)); do
  measure anchor
  theirs+=("$rate") their_us+=("$(each "$script_us" "$anchor_calls")")
  measure run_in_process crowd "$((round * 1000000))" "$crowd_size"
  ours+=("$rate") our_us+=("$(each "$script_us" "$crowd_size")")
  ratios+=("$(each "$rate" "${theirs[-1]}")")
  calls_each=$(each "$script_calls" "$crowd_size")
  in_each=$(each "$bytes_in" "$crowd_size") out_each=$(each "$bytes_out" "$crowd_size")
  measure over_http "$round"
  http_answered=$((http_answered + answered))
  https+=("$rate") p99s+=("$(each "$rest99" 1000)") http_us+=("$(each "$script_us" "$answered")")
  http_ratios+=("$(each "$rate" "${theirs[-1]}")")
  http_calls_each=$(each "$script_calls" "$answered")
  http_in_each=$(each "$bytes_in" "$answered") http_out_each=$(each "$bytes_out" "$answered")
  echo "round $round: anchor ${theirs[-1]}/s (${their_us[-1]} µs of the script each), in process ${ours[-1]}/s" \
    "(${our_us[-1]} µs), HTTP ${https[-1]}/s (${http_us[-1]} µs, p99 ${p99s[-1]} ms)"
done
kill "$server_pid"
wait "$server_pid" || true

# What was answered with yes is there; of the anchor's random keys one in a thousand may have come twice.
if (($(stored_in "$anchor_hash") * 1000 < 999 * rounds * anchor_calls ||
  $(stored_in "$crowd_hash") < rounds * crowd_size || $(stored_in "$http_hash") < http_answered)); then
  echo "something that was answered is not stored" >&2
  exit 2
fi
ask_redis UNLINK "$anchor_hash" "$anchor_stream" >"$work/ok"

echo "figure redis.anchor_per_s $(median "${theirs[@]}")"
echo "figure redis.anchor_script_us $(median "${their_us[@]}")"
echo "figure redis.http_requests_per_s $(median "${https[@]}")"
echo "figure redis.http_p99_ms $(median "${p99s[@]}")"
echo "figure redis.http_script_us $(median "${http_us[@]}")"
echo "figure redis.http_calls_each $http_calls_each"
echo "figure redis.http_bytes_to_redis_each $http_in_each"
echo "figure redis.http_bytes_from_redis_each $http_out_each"
echo "figure redis.http_ratio_to_anchor $(median "${http_ratios[@]}") >= 1.5"
echo "figure redis.in_process_per_s $(median "${ours[@]}")"
echo "figure redis.in_process_script_us $(median "${our_us[@]}")"
echo "figure redis.in_process_calls_each $calls_each"
echo "figure redis.in_process_bytes_to_redis_each $in_each"
echo "figure redis.in_process_bytes_from_redis_each $out_each"
echo "figure redis.in_process_ratio_to_anchor $(median "${ratios[@]}") >= 3"

# --- with many stored ---

before=$(counter memory used_memory)
prepare full
full_hash=$hash full_stream=$stream
run_in_process full 0 "$stored"
memory=$(($(counter memory used_memory) - before))
echo "$stored reservations stored, at $rate/s"

hash_bytes=$(ask_redis MEMORY USAGE "$full_hash" SAMPLES 0)
stream_bytes=$(ask_redis MEMORY USAGE "$full_stream" SAMPLES 0)
sample=$((stored < 14000 ? stored : 14000))  # a table of 16 384 places that has moved all it had from a smaller one
mapfile -t parts < <(ask_redis --eval bench/redis_memory.lua "$full_hash" "$full_hash-part" , "$sample")
echo "figure redis.memory_record $(each "${parts[0]}" "$sample")"
echo "figure redis.memory_customer $(each "${parts[1]}" "$sample")"
echo "figure redis.memory_key $(each "${parts[2]}" "$sample")"
echo "figure redis.memory_hash $(each "$hash_bytes" "$stored")"
echo "figure redis.memory_stream $(each "$stream_bytes" "$stored")"
echo "figure redis.memory_each $(each "$memory" "$stored") <= 450"

empty_rates=() full_rates=() growth=()
for ((round = 1; round <= rounds; round++)); do
  prepare "empty-$round"
  run_in_process "empty-$round" 0 "$crowd_size"
  empty_rates+=("$rate")
  run_in_process full "$((stored + round * crowd_size))" "$crowd_size"
  full_rates+=("$rate")
  growth+=("$(each "$rate" "${empty_rates[-1]}")")
  ask_redis UNLINK "$hash" "$stream" >"$work/ok"
  echo "round $round: with $stored stored $rate/s, empty ${empty_rates[-1]}/s"
done
echo "figure redis.growth_empty_per_s $(median "${empty_rates[@]}")"
echo "figure redis.growth_full_per_s $(median "${full_rates[@]}")"
echo "figure redis.growth_ratio_to_empty $(median "${growth[@]}") >= 0.75"
