#!/usr/bin/env bash
# What `systemctl start|stop|restart demo` is on a server with systemd, so that no way of deploying pays for the lack of it here:
#   service.sh INSTANCE start|stop|restart
# `start` returns at once, `stop` when the process is gone: the next node of the same name would not come up before.
set -euo pipefail
instance=$1
set -a
. "$instance/env"
set +a

start() {
  setsid "$instance/current/bin/demo" start >>"$instance/demo.log" 2>&1 </dev/null &
  echo $! >"$instance/demo.pid"
}

stop() {
  local pid
  pid=$(cat "$instance/demo.pid" 2>/dev/null) || return 0
  "$instance/current/bin/demo" stop >/dev/null
  # A process that nobody has waited for yet has no executable any more, but still a pid.
  while [ -e "/proc/$pid/exe" ]; do sleep 0.02; done
  rm "$instance/demo.pid"
}

case $2 in
  start) start ;;
  stop) stop ;;
  restart) stop && start ;;
esac
