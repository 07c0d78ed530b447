# What the deployment scripts share. An instance is a directory laid out as Capistrano does it: releases/VERSION, the link `current`, and `env`,
# which is what the app's unit would have as EnvironmentFile. The scripts get from the benchmark:
#   FLEET    directory with one directory for each host
#   HOSTS    their names, in order
#   ARCHIVE  the release to deploy, made by mix release
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(basename "$ARCHIVE" .tar.gz)
version=${version#demo-}
first=${HOSTS%% *}

# service INSTANCE start|stop|restart
service() { "$here/service.sh" "$FLEET/$1" "$2"; }

# stage INSTANCE: copies the archive there, as an upload would, and unpacks it.
stage() {
  mkdir -p "$FLEET/$1/releases/$version"
  cp "$ARCHIVE" "$FLEET/$1/release.tar.gz"
  tar xzf "$FLEET/$1/release.tar.gz" -C "$FLEET/$1/releases/$version"
}

# use INSTANCE: the next start is of the new release.
use() { ln -sfn "releases/$version" "$FLEET/$1/current"; }

# migrate INSTANCE: once for the deployment, from the new release, while the old one serves.
migrate() {
  (set -a && . "$FLEET/$1/env" && "$FLEET/$1/releases/$version/bin/demo" eval 'Demo.Release.migrate()')
}

# port_of INSTANCE
port_of() { sed -n 's/^PORT=//p' "$FLEET/$1/env"; }

# await_healthy INSTANCE: until its own health check answers, at most 30 s.
await_healthy() {
  local url="http://127.0.0.1:$(port_of "$1")/health" end=$((SECONDS + 30))
  until curl -fs -o /dev/null --max-time 2 "$url"; do
    [ $SECONDS -lt $end ] || { echo "$1 is not healthy after 30 s" >&2; return 1; }
    sleep 0.1
  done
}

# together FUNCTION INSTANCE...: for all of them at once; fails when one fails.
together() {
  local do=$1 pids=() one
  shift
  for one in "$@"; do
    "$do" "$one" &
    pids+=($!)
  done
  for one in "${pids[@]}"; do wait "$one"; done
}
