#!/usr/bin/env bash
# `stop; start`, host after host. HAProxy finds out by its health checks; nobody tells it.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

together stage $HOSTS
migrate "$first"
for host in $HOSTS; do
  echo "cutover of $host begins"
  use "$host"
  service "$host" restart
  await_healthy "$host"
  echo "cutover of $host ends"
done
