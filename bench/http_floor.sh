#!/usr/bin/env bash
# The HTTP server with nothing behind it, compared with nginx answering `return 200` with a body of the same size. The
# difference to bench/http.sh is the cost of the rest of a reservation. Alternating runs of the same client as in
# bench/http.sh; the figures are medians.
set -euo pipefail
# shellcheck source=bench/server.sh
source bench/server.sh

pairs=${BENCH_PAIRS-7}
seconds=${BENCH_SECONDS-2}

"${FIRSTCOME_HTTP_FLOOR-build/bench/bench/bench_http_floor}" >"$work/floor.out" &
floor_pid=$!
started+=("$floor_pid")
wait_until 10 grep -q '^listening on ' "$work/floor.out"
floor_url=$(sed -n 's/^listening on //p' "$work/floor.out")
start_nginx "$(curl -sS "$floor_url/")"

# run URL PID: one run; sets rate (requests/s) and cpu (µs of the server per request).
run() {
  local before after answers micros refused broken rest
  before=$(cpu_ticks "$2")
  read -r _ answers micros refused broken rest \
    <<<"$(wrk -t1 -c64 -d"${seconds}s" -s bench/reserve.lua "$1" -- floor bench | grep '^done ')"
  after=$(cpu_ticks "$2")
  if ((refused + broken > 0)); then
    echo "$refused refused, $broken broken connections: this run is not valid" >&2
    exit 1
  fi
  rate=$(awk -v n="$answers" -v t="$micros" 'BEGIN { printf "%.0f", n / t * 1e6 }')
  cpu=$(awk -v d="$((after - before))" -v n="$answers" 'BEGIN { printf "%.2f", d * 10000 / n }')
}

run "$nginx_url" "$nginx_pid"
run "$floor_url" "$floor_pid"
ratios=() cpus=() their_cpus=()
for ((pair = 1; pair <= pairs; pair++)); do
  run "$nginx_url" "$nginx_pid"
  their_rate=$rate their_cpus+=("$cpu")
  run "$floor_url" "$floor_pid"
  cpus+=("$cpu")
  ratios+=("$(awk -v a="$rate" -v b="$their_rate" 'BEGIN { printf "%.3f", a / b }')")
  echo "pair $pair: $rate/s ($cpu µs of the server each), nginx $their_rate/s (${their_cpus[-1]} µs), ratio ${ratios[-1]}"
done

echo "figure http_floor.server_us_per_request $(median "${cpus[@]}")"
echo "figure http_floor.nginx_us_per_request $(median "${their_cpus[@]}")"
echo "figure http_floor.ratio $(median "${ratios[@]}")"
