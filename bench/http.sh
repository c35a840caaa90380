#!/usr/bin/env bash
# Durable reservations over HTTP, compared with nginx answering `return 200` with a body of the same size.
#
# The same client (wrk, one thread, 64 keep-alive connections) sends the same requests to both, in alternating runs, so
# that a noisy machine affects both equally. The figures are medians. BENCH_PAIRS sets the number of pairs of runs,
# BENCH_SECONDS the length of a run.
set -euo pipefail
# shellcheck source=bench/server.sh
source bench/server.sh

pairs=${BENCH_PAIRS-7}
seconds=${BENCH_SECONDS-2}

# Held for longer than the benchmark runs: no hold ends meanwhile.
start_firstcome --engine embedded
create_sale '{"id":"bench","stock":1000000000,"unit_price":1000,"hold_ms":86400000}'
body=$(curl -sS --fail-with-body -H 'Content-Type: application/json' -H 'Idempotency-Key: key-example-1' \
  -d '{"customer":"customer-example-1","quantity":1}' "$server_url/v1/sales/bench/reservations")
start_nginx "$body"
echo "answers of ${#body} bytes; $pairs pairs of runs of $seconds s"

# run NAME URL PID: one run; sets rate (requests/s), p50, p99 (ms) and cpu (µs of the server per request).
run() {
  local before after out
  before=$(cpu_ticks "$3")
  out=$(wrk -t1 -c64 -d"${seconds}s" -s bench/reserve.lua "$2" -- "$1" bench | grep '^done ')
  after=$(cpu_ticks "$3")
  local answers micros refused broken rest50 rest99
  read -r _ answers micros refused broken rest50 rest99 _ <<<"$out"
  if ((refused + broken > 0)); then
    echo "$1: $refused refused, $broken broken connections: this run is not valid" >&2
    exit 1
  fi
  answered=$((answered + answers))
  rate=$(awk -v n="$answers" -v t="$micros" 'BEGIN { printf "%.0f", n / t * 1e6 }')
  p50=$(awk -v t="$rest50" 'BEGIN { printf "%.2f", t / 1000 }')
  p99=$(awk -v t="$rest99" 'BEGIN { printf "%.2f", t / 1000 }')
  cpu=$(awk -v d="$((after - before))" -v n="$answers" 'BEGIN { printf "%.1f", d * 10000 / n }')
}

answered=0
run warm-nginx "$nginx_url" "$nginx_pid"
answered=0
run warm "$server_url" "$server_pid"
ours=() theirs=() ratios=() p99s=() cpus=() their_cpus=()
for ((pair = 1; pair <= pairs; pair++)); do
  ours_before=$answered
  run "nginx-$pair" "$nginx_url" "$nginx_pid"
  answered=$ours_before
  their_rate=$rate
  theirs+=("$rate")
  their_cpus+=("$cpu")
  run "$pair" "$server_url" "$server_pid"
  ours+=("$rate")
  p99s+=("$p99")
  cpus+=("$cpu")
  ratios+=("$(awk -v a="$rate" -v b="$their_rate" 'BEGIN { printf "%.3f", a / b }')")
  echo "pair $pair: $rate/s (p50 $p50 ms, p99 $p99 ms, $cpu µs of the server each), nginx $their_rate/s, ratio ${ratios[-1]}"
done

# What was answered with yes is there.
held=$(curl -sS "$server_url/v1/sales/bench" | sed 's/.*"held":\([0-9]*\).*/\1/')
if ((held < answered)); then
  echo "$answered answered, but only $held held: something was lost" >&2
  exit 2
fi

echo "figure http.requests_per_s $(median "${ours[@]}")"
echo "figure http.nginx_requests_per_s $(median "${theirs[@]}")"
echo "figure http.server_us_per_request $(median "${cpus[@]}")"
echo "figure http.nginx_us_per_request $(median "${their_cpus[@]}")"
echo "figure http.ratio $(awk -v a="$(median "${ours[@]}")" -v b="$(median "${theirs[@]}")" 'BEGIN { printf "%.3f", a / b }') >= 0.65"
echo "figure http.p99_ms $(median "${p99s[@]}") <= 5"
