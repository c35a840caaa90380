#!/usr/bin/env bash
# The cost of writing orders: durable reservations over HTTP, confirmed at once, on a server that writes an order for
# each (the default) and on one that does not (--orders none), in alternating runs. Also measures how long after the run
# the last order is stored.
#
# The figures are medians. BENCH_PAIRS sets the number of pairs of runs, BENCH_SECONDS the length of a run.
set -euo pipefail
# shellcheck source=bench/server.sh
source bench/server.sh

pairs=${BENCH_PAIRS-5}
seconds=${BENCH_SECONDS-3}

# run NAME [OPTION...]: a server of its own; sets rate (requests/s) and p99 (ms).
run() {
  local name=$1
  shift
  rm -rf "$work/data" "$work/firstcome.out"
  start_firstcome "$@"
  create_sale '{"id":"bench","stock":1000000000,"unit_price":1000,"hold_ms":0}'
  wrk -t1 -c64 -d1s -s bench/reserve.lua "$server_url" -- "warm-$name" bench >"$work/warm"
  local answers micros refused broken rest99
  read -r _ answers micros refused broken _ rest99 _ < <(
    wrk -t1 -c64 -d"${seconds}s" -s bench/reserve.lua "$server_url" -- "$name" bench | grep '^done '
  )
  if ((refused + broken > 0)); then
    echo "$name: $refused refused, $broken broken connections: this run is not valid" >&2
    exit 1
  fi
  rate=$(awk -v n="$answers" -v t="$micros" 'BEGIN { printf "%.0f", n / t * 1e6 }')
  p99=$(awk -v t="$rest99" 'BEGIN { printf "%.2f", t / 1000 }')
}

undelivered() { curl -sS "$server_url/metrics" | sed -n 's/^firstcome_outbox_undelivered //p'; }
all_delivered() { [[ $(undelivered) == 0 ]]; }

end_server() {
  kill "$server_pid"
  wait "$server_pid" || true
}

with=() without=() ratios=() p99s=() behind=()
for ((pair = 1; pair <= pairs; pair++)); do
  run "without-$pair" --orders none
  without+=("$rate")
  end_server
  run "with-$pair"
  with+=("$rate") p99s+=("$p99")
  ratios+=("$(awk -v a="$rate" -v b="${without[-1]}" 'BEGIN { printf "%.3f", a / b }')")
  left=$(undelivered)
  began=$(date +%s%N)
  wait_until 120 all_delivered || {
    echo "the orders did not all come" >&2
    exit 2
  }
  behind+=("$(awk -v t="$(($(date +%s%N) - began))" 'BEGIN { printf "%.2f", t / 1e9 }')")
  end_server
  echo "pair $pair: with orders ${with[-1]}/s (p99 $p99 ms), without ${without[-1]}/s, ratio ${ratios[-1]};" \
    "$left events were behind at the end, all stored ${behind[-1]} s later"
done

echo "figure http_orders.with_per_s $(median "${with[@]}")"
echo "figure http_orders.without_per_s $(median "${without[@]}")"
echo "figure http_orders.ratio $(median "${ratios[@]}") >= 0.9"
echo "figure http_orders.p99_ms $(median "${p99s[@]}")"
echo "figure http_orders.behind_s $(median "${behind[@]}")"
