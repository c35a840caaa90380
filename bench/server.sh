# Starts servers for benchmarks, each on a free port and in its own folder. To be sourced in the project's folder. All
# servers are stopped when the sourcing script ends, also after an error or a signal.
# shellcheck shell=bash

# shellcheck source=scripts/ports.sh
source scripts/ports.sh

program=${FIRSTCOME_PROGRAM-build/bench/firstcome}
work=$(mktemp -d "$PWD/build/bench.XXXXXX")
started=()

end_all() {
  local pid
  for pid in ${started[@]+"${started[@]}"}; do kill "$pid" 2>/dev/null || true; done
  for pid in ${started[@]+"${started[@]}"}; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap end_all EXIT
trap 'exit 130' INT TERM

# wait_until SECONDS COMMAND...
wait_until() {
  local tries=$(($1 * 20))
  shift
  until "$@"; do
    if ((tries-- == 0)); then return 1; fi
    sleep 0.05
  done
}

# start_firstcome [OPTION...]: sets server_url, server_pid and server_data.
start_firstcome() {
  server_data=$work/data
  "$program" serve --listen 127.0.0.1:0 --data "$server_data" "$@" >"$work/firstcome.out" 2>"$work/firstcome.err" &
  server_pid=$!
  started+=("$server_pid")
  if ! wait_until 10 grep -qs '^listening on ' "$work/firstcome.out"; then
    cat "$work/firstcome.err" >&2
    echo "the server did not start" >&2
    return 1
  fi
  server_url=$(sed -n 's/^listening on //p' "$work/firstcome.out")
}

# create_sale JSON
create_sale() {
  curl -sS --fail-with-body -H 'Content-Type: application/json' -d "$1" "$server_url/v1/sales" >"$work/sale.json" || {
    cat "$work/sale.json" >&2
    return 1
  }
}

# One nginx worker answering everything with BODY; sets nginx_url and nginx_pid (of the worker).
# shellcheck disable=SC2034
start_nginx() {
  local body=$1 port master
  reserve_port
  port=$reserved_port
  cat >"$work/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log $work/nginx.err;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_timeout 600;
  keepalive_requests 1000000000;
  client_body_temp_path $work/nginx.body;
  proxy_temp_path $work/nginx.proxy;
  fastcgi_temp_path $work/nginx.fastcgi;
  uwsgi_temp_path $work/nginx.uwsgi;
  scgi_temp_path $work/nginx.scgi;
  server {
    listen 127.0.0.1:$port;
    location / {
      default_type application/json;
      return 200 '$body';
    }
  }
}
CONF
  "$(nginx_program)" -p "$work" -c "$work/nginx.conf" &
  master=$!
  started+=("$master")
  nginx_url=http://127.0.0.1:$port
  if ! wait_until 10 curl -s -o /dev/null "$nginx_url/"; then
    cat "$work/nginx.err" >&2
    return 1
  fi
  nginx_pid=$(pgrep -o -P "$master")
}

# Its folder is not on everybody's path.
nginx_program() { command -v nginx || echo /usr/sbin/nginx; }

# median NUMBER...
median() { printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# CPU time of a process until now, in ticks of 10 ms: user and kernel.
cpu_ticks() { awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
