#!/usr/bin/env bash
# Installs the lock library as users get it, builds the example against it with find_package, and runs it; likewise a
# plug-in, which is a shared library.
#
#   example.sh BUILD_FOLDER_OF_THE_PROGRAM SOURCE_FOLDER [REDIS_SERVER]
#
# Ends with 77 where there is no Redis server.
set -euo pipefail
build=$1
source=$2
redis_server=${3:-/usr/bin/redis-server}
# shellcheck source=scripts/ports.sh
source "$source/scripts/ports.sh"
if [[ ! -x $redis_server ]]; then
  echo "REDIS IS NOT TESTED: $redis_server is missing; ./run deps installs it" >&2
  exit 77
fi
work=$(mktemp -d)
server=
finish() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT

cmake --install "$build" --prefix "$work/prefix" --component library >/dev/null
cmake -G Ninja -S "$source/examples/lock" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/build" >/dev/null

run() {
  local said
  said=$("$work/build/lock_example" "$@")
  echo "$said"
  [[ $said =~ ^the\ report\ is\ made,\ token\ [1-9][0-9]*$ ]]
}
run

# On a server of its own. Somebody who does not ask for ports as tests do may take this one meanwhile.
start_redis() {
  reserve_port
  port=$reserved_port
  "$redis_server" --port "$port" --bind 127.0.0.1 --save '' --dir "$work" >"$work/redis.log" 2>&1 &
  server=$!
  local tries
  for ((tries = 0; tries < 200; ++tries)); do
    if grep -q 'Ready to accept connections' "$work/redis.log"; then return 0; fi
    if ! kill -0 "$server" 2>/dev/null; then return 1; fi
    sleep 0.05
  done
  return 1
}
started=no
for attempt in 1 2 3 4 5; do
  if start_redis; then
    started=yes
    break
  fi
  echo "attempt $attempt: port $port was not free" >&2
done
[[ $started == yes ]]
run "redis://127.0.0.1:$port"

cmake -G Ninja -S "$source/tests/system/plugin" -B "$work/plugin" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/plugin" >/dev/null
"$work/plugin/host" "$work/plugin/libplugin.so" "redis://127.0.0.1:$port"
