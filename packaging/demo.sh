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
began=$SECONDS

# Ends what the demo started and nothing else: the programs below by their pids, then what agents leave running on purpose (releases,
# their keepers and epmd), known by the demo's mark in their environment, or because their program lives in the demo's directory.
cat >"$room/stop.sh" <<EOF
#!/usr/bin/env bash
for pid in \$(cat "$room/started" 2>/dev/null); do kill "\$pid" 2>/dev/null; done
for pid in \$({ grep -lsaE "(DECANT_DEMO=$room|RELEASE_TMP=$room/)" /proc/[0-9]*/environ; grep -lsa "^$room/" /proc/[0-9]*/cmdline; } | cut -d/ -f3 | sort -u); do
  kill -9 "\$pid" 2>/dev/null
done
rm -rf "$room"
EOF

# start LOG PROGRAM ARGUMENT...: in the background, with the demo's mark.
start() {
  local out=$1
  shift
  DECANT_DEMO=$room "$@" >"$out" 2>&1 &
  echo $! >>"$room/started"
}

leave=false
finish() {
  local code=$?
  trap - EXIT INT TERM
  exec 7>&- 2>/dev/null || true
  if ! $leave; then
    [ $code -eq 0 ] || printf '\nended with %s: taking everything down\n' "$code" >&2
    cd /
    bash "$room/stop.sh"
    wait 2>/dev/null || true
  fi
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

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
  start "$room/$host/agent.log" "$decantd" --config "$room/$host/agent.yml"
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
start "$room/haproxy.log" /usr/sbin/haproxy -W -db -f "$room/haproxy.cfg"

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
DECANT_DEMO=$room "$load" "http://127.0.0.1:$web" <"$room/phases" >"$room/account" 2>&1 &
load_pid=$!
echo $load_pid >>"$room/started"
exec 7>"$room/phases"
echo "  8 s without a deployment, to compare with"
sleep 8

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
say "The migration ran once for each deployment, on one host"
sqlite3 "$room/demo.db" "select '  run by ' || by || ' at ' || at from migration_runs; select '  schema version ' || max(version) from schema_migrations"
say "Seconds for each phase (decant show has each step)"
"$decant" show | sed -n '/seconds for each phase/,$p' | tail -n +2
say "The account: what the clients saw"
cat "$room/account"
say "$((SECONDS - began)) s in all, builds of the programs not counted"

if $keep; then
  leave=true
  say "Left running in $room. Look around:"
  cat <<EOF
  export DECANT_STATE_DIR=$room/controller; cd $room; alias decant=$decant
  decant status                      what runs where
  decant plan demo-1.0.0.tar.gz      what going back by a deployment would do
  decant rollback                    back to 1.0.0
  decant logs -f                     what the hosts print
  curl -i http://127.0.0.1:$web/     an answer from one of the hosts
  tail -f $room/web1/agent.log       what an agent says

End it with: bash $room/stop.sh
EOF
fi
[ $code -eq 0 ] && [ $load_code -eq 0 ]
