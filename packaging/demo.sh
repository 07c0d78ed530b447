#!/usr/bin/env bash
# The main job, on real releases under load: three agents and HAProxy on loopback, a first release, a steady load through the balancer, and
# `decant deploy` of a second release with a slow migration. Ends with an account of every request.
#   packaging/demo.sh           takes everything down at the end
#   packaging/demo.sh --keep    leaves it running and says how to look around
set -euo pipefail
cd "$(dirname "$0")/.."
source packaging/prerequisites.sh

keep=false
case ${1:-} in
  '') ;;
  --keep) keep=true ;;
  *) echo "usage: packaging/demo.sh [--keep]" >&2; exit 2 ;;
esac

need_dotnet
need_packages "${elixir_packages[@]}" haproxy sqlite3 curl procps

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "Building decantd, decant and the load generator"
log=$(mktemp)
for project in agent controller tests/Load; do
  dotnet build "$project" -c Release --nologo -v quiet >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
done
rm -f "$log"
decantd=$PWD/agent/bin/Release/net10.0/decantd
decant=$PWD/controller/bin/Release/net10.0/decant
load=$PWD/tests/Load/bin/Release/net10.0/decant-load

room=$(mktemp -d "${TMPDIR:-/tmp}/decant-demo-XXXXXX")
export DECANT_STATE_DIR=$room/controller
started=()

# Everything that runs for the demo names the demo's own directory; agents leave their releases running on purpose.
take_down() {
  local pid
  exec 7>&- 2>/dev/null || true
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in $(grep -lsa "$room" /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | sort -u); do
    [ "$pid" = $$ ] || [ "$pid" = "$PPID" ] || kill -9 "$pid" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$room"
}
trap 'echo; echo "interrupted or failed: taking everything down" >&2; take_down' ERR INT TERM

# free_port: a loopback port below the kernel's own range that nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    case " ${taken:-} " in *" $port "*) continue ;; esac
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

say "Building two releases of the demo app with mix release"
bash tests/demo/build.sh --version 1.0.0 --out "$room"
bash tests/demo/build.sh --version 2.0.0 --migrations 4 --misbehave slow_migration --out "$room"
ls -l "$room"/*.tar.gz | awk '{print "  " $9 "  " $5 " bytes"}'

say "Starting HAProxy and four agents: web1, web2, web3, and lb beside HAProxy"
taken='' epmd=$(free_port)
taken+=" $epmd"
web=$(free_port)
taken+=" $web"
hosts='' servers=''
for host in web1 web2 web3 lb; do
  agent_port=$(free_port); taken+=" $agent_port"
  app_port=$(free_port); taken+=" $app_port"
  mkdir -p "$room/$host"
  cat >"$room/$host/agent.yml" <<EOF
host: $host
data_dir: $room/$host/data
listen: { unix: $room/$host/decantd.sock, tcp: 127.0.0.1:$agent_port }
epmd_port: $epmd
limits: { disk_floor: 64MiB }
EOF
  if [ $host = lb ]; then
    echo "balancers: { edge: { kind: haproxy, socket: $room/haproxy.sock } }" >>"$room/$host/agent.yml"
    lb_port=$agent_port
  else
    hosts+="  $host: { agent: 127.0.0.1:$agent_port, port: $app_port, node: demo-$host-$app_port@127.0.0.1 }"$'\n'
    servers+="  server $host 127.0.0.1:$app_port"$'\n'
  fi
  "$decantd" --config "$room/$host/agent.yml" >"$room/$host/agent.log" 2>&1 &
  started+=($!)
done

cat >"$room/haproxy.cfg" <<EOF
global
  stats socket $room/haproxy.sock mode 600 level admin
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend web
  bind 127.0.0.1:$web
  default_backend demo
backend demo
  balance roundrobin
  option httpchk GET /health
  default-server check inter 200ms rise 1 fall 2 weight 100
$servers
EOF
/usr/sbin/haproxy -W -db -f "$room/haproxy.cfg" >"$room/haproxy.log" 2>&1 &
started+=($!)

cat >"$room/decant.yml" <<EOF
app: demo
hosts:
$hosts
balancers:
  edge: { agent: 127.0.0.1:$lb_port, backend: demo }
slot:
  env:
    DEMO_DB: $room/demo.db
    DEMO_MIGRATION_MS: 4000
health:
  http: { path: /health }
migrations:
  run: Demo.Release.migrate()
strategy:
  batch: 1
  min_healthy: 2s
EOF
for host in web1 web2 web3 lb; do
  timeout 30 sh -c "until grep -q 'agent is ready' '$room/$host/agent.log'; do sleep 0.1; done" || { cat "$room/$host/agent.log"; false; }
done
sed 's/^/  /' "$room/decant.yml"

say "decant deploy demo-1.0.0.tar.gz: the first release, to empty hosts"
cd "$room"
"$decant" deploy demo-1.0.0.tar.gz

say "A steady load through HAProxy: 500 fast requests a second (a fifth of them on new connections), 3 s responses, streams, uploads"
mkfifo "$room/phases"
"$load" "http://127.0.0.1:$web" <"$room/phases" >"$room/account" 2>&1 &
load_pid=$!
started+=($load_pid)
exec 7>"$room/phases"
sleep 8
echo "  (8 s without a deployment, to compare with)"

say "decant deploy demo-2.0.0.tar.gz: the second release, with a migration of 4 s"
echo deployment >&7
code=0
"$decant" deploy demo-2.0.0.tar.gz || code=$?
echo after >&7
sleep 4
exec 7>&-
load_code=0
wait $load_pid || load_code=$?

say "decant status"
"$decant" status
say "The migration"
sqlite3 "$room/demo.db" "select '  run by ' || by || ' at ' || at from migration_runs; select '  schema version ' || max(version) from schema_migrations"
say "Seconds for each phase"
"$decant" show "$("$decant" history --json -n 1 | sed -E 's/.*"deployment":"([^"]+)".*/\1/')" | sed 's/^/  /'
say "The account"
cat "$room/account"

trap - ERR INT TERM
if $keep; then
  say "Left running in $room"
  cat <<EOF
  export DECANT_STATE_DIR=$room/controller; cd $room; alias decant=$decant
  decant status | decant plan demo-1.0.0.tar.gz | decant rollback | decant logs -f | decant history
  curl http://127.0.0.1:$web/           answers from one of the hosts
  end it with: kill ${started[*]}; pkill -9 -f $room; rm -rf $room
EOF
else
  cd /
  take_down
fi
[ $code -eq 0 ] && [ $load_code -eq 0 ]
