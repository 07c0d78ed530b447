#!/usr/bin/env bash
# Blue and green on every host: the new ones start beside the old ones, nginx is pointed at them, the old ones are stopped at once. Gets more:
#   UPSTREAM  the file with nginx's upstream block
#   NGINX     nginx with its options
set -euo pipefail
source "$(dirname "$0")/lib.sh"

old=$(cat "$FLEET/live" 2>/dev/null || true)
new=blue
[ "$old" != blue ] || new=green
instances() { for host in $HOSTS; do echo "$host/$1"; done; }
start() { use "$1" && service "$1" start && await_healthy "$1"; }
stop() { service "$1" stop; }

together stage $(instances $new)
migrate "$first/$new"
echo "cutover begins"
together start $(instances $new)
{
  echo "upstream demo {"
  for instance in $(instances $new); do echo "  server 127.0.0.1:$(port_of "$instance");"; done
  echo "  keepalive 64;"
  echo "}"
} >"$UPSTREAM.new"
mv "$UPSTREAM.new" "$UPSTREAM"
$NGINX -t -q
$NGINX -s reload
[ -z "$old" ] || together stop $(instances "$old")
echo $new >"$FLEET/live"
echo "cutover ends"
