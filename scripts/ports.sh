# Free ports for the servers of tests and benchmarks. tests/support/free_port.cpp uses the same reservations. To be
# sourced.
# shellcheck shell=bash

# reserve_port: sets reserved_port to a TCP port of 127.0.0.1 that nobody listens on. Nobody else is given it, here or by
# the tests, while this shell or a program that it started lives.
reserve_port() {
  local folder=${TMPDIR:-/tmp}/firstcome-test-ports file tries held
  # As /tmp itself: other users have ports to share out, too.
  [[ -d $folder ]] || mkdir -m 1777 "$folder" || [[ -d $folder ]]
  for ((tries = 0; tries < 10000; ++tries)); do
    # Linux takes ports from 32768 on for connections.
    reserved_port=$((12000 + RANDOM % 20000))
    file=$folder/$reserved_port
    if [[ ! -e $file ]]; then (umask 0 && : >"$file") 2>/dev/null || continue; fi
    { exec {held}<"$file"; } 2>/dev/null || continue
    if flock -n "$held" && ! (exec 3<>"/dev/tcp/127.0.0.1/$reserved_port") 2>/dev/null; then return 0; fi
    exec {held}<&-
  done
  echo "no port is free" >&2
  return 1
}
