#!/usr/bin/env bash
# One customer at a time on one connection, compared with the minimum cost; see single.cpp.
set -euo pipefail
# shellcheck source=bench/server.sh
source bench/server.sh

start_firstcome --engine embedded
create_sale '{"id":"bench","stock":1000000000,"unit_price":1000,"hold_ms":86400000}'
build/bench/bench/bench_single "${server_url##*:}" "$work/fdatasync" "${BENCH_ROUNDS-1000}"
