#!/usr/bin/env bash
# The main job, on real releases under load: three agents and a balancer on loopback, a first release, a steady load through the balancer, and
# `decant deploy` of a second release with a slow migration. Ends with an account of every request.
#   packaging/demo.sh                      takes everything down at the end
#   packaging/demo.sh --keep               leaves it running and says how to look around
#   packaging/demo.sh --balancer KIND      embedded (the default), haproxy, nginx or caddy
set -euo pipefail
cd "$(dirname "$0")/.."
source packaging/prerequisites.sh

keep=false balancer=embedded
usage() { echo "usage: packaging/demo.sh [--keep] [--balancer embedded|haproxy|nginx|caddy]" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=true; shift ;;
    --balancer) balancer=${2:-}; shift 2 || usage ;;
    *) usage ;;
  esac
done
case $balancer in
  embedded) balancer_packages=() front="the embedded proxy" ;;
  haproxy) balancer_packages=(haproxy) front=HAProxy ;;
  nginx) balancer_packages=(nginx-light) front=nginx ;;
  caddy) balancer_packages=(caddy) front=Caddy ;;
  *) usage ;;
esac

need_dotnet
need_packages "${elixir_packages[@]}" "${balancer_packages[@]}" sqlite3 curl procps

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

say "Starting $front and four agents: web1, web2, web3, and lb beside it"
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
listen: { unix: $room/$host/decantd.sock, tcp: 127.0.0.1:$agent_port, tls: off }
epmd_port: $epmd
limits: { disk_floor: 64MiB }
EOF
  if [ $host = lb ]; then
    lb_port=$agent_port lb_name=edge
    case $balancer in
      haproxy) echo "balancers: { edge: { kind: haproxy, socket: $room/haproxy.sock } }" ;;
      nginx) echo "balancers: { edge: { kind: nginx, config: $room/nginx.conf, upstreams: $room/upstreams, pid: $room/nginx.pid } }" ;;
      caddy) echo "balancers: { edge: { kind: caddy, admin: $room/caddy.sock } }" ;;
      embedded) echo "proxy: { listen: 127.0.0.1:$web, socket: $room/proxy.sock, backends: { demo: { check: /health } } }"; lb_name=proxy ;;
    esac >>"$room/$host/agent.yml"
  else
    hosts+="  $host: { agent: http://127.0.0.1:$agent_port, port: $app_port, node: demo-$host-$app_port@127.0.0.1 }"$'\n'
    servers+="  server $host 127.0.0.1:$app_port"$'\n'
  fi
  start "$room/$host/agent.log" "$decantd" --config "$room/$host/agent.yml"
done

# Each as README.md sets it up.
start_haproxy() {
  cat >"$room/haproxy.cfg" <<EOF
global
  stats socket $room/haproxy.sock mode 600 level admin
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 2s
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
}

start_nginx() {
  mkdir "$room/upstreams"
  cp packaging/examples/nginx-shop.conf "$room/upstreams/demo.conf"
  sed -i 's/upstream shop/upstream demo/' "$room/upstreams/demo.conf"
  cat >"$room/nginx.conf" <<EOF
user $(id -un) $(id -gn);
worker_processes 2;
pid $room/nginx.pid;
error_log $room/nginx.log notice;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path $room/nginx-body;
  proxy_temp_path $room/nginx-proxy;
  fastcgi_temp_path $room/nginx-fastcgi;
  uwsgi_temp_path $room/nginx-uwsgi;
  scgi_temp_path $room/nginx-scgi;
  include $room/upstreams/*.conf;
  server {
    listen 127.0.0.1:$web;
    location / { proxy_pass http://demo; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
EOF
  start "$room/nginx.out" /usr/sbin/nginx -c "$room/nginx.conf" -g "daemon off;"
}

start_caddy() {
  # Or the kernel resets connections that wait for the listener which a change of the configuration closes (README, Caddy).
  [ "$(sysctl -n net.ipv4.tcp_migrate_req)" = 1 ] || sysctl -qw net.ipv4.tcp_migrate_req=1 || echo "  net.ipv4.tcp_migrate_req is 0 and cannot be set: some requests may be reset"
  cat >"$room/caddy.json" <<EOF
{
  "admin": { "listen": "unix/$room/caddy.sock", "origins": ["", "127.0.0.1"] },
  "apps": { "http": { "servers": { "web": { "listen": ["127.0.0.1:$web"], "automatic_https": { "disable": true }, "routes": [{ "handle": [{
    "@id": "demo", "handler": "reverse_proxy", "load_balancing": { "selection_policy": { "policy": "round_robin" } }, "upstreams": []
  }] }] } } } }
}
EOF
  start "$room/caddy.log" env "XDG_DATA_HOME=$room/caddy-data" "XDG_CONFIG_HOME=$room/caddy-config" /usr/bin/caddy run --config "$room/caddy.json"
}

start_embedded() {
  start "$room/proxy.log" "$decantd" proxy --config "$room/lb/agent.yml"
}

"start_$balancer"

cat >"$room/decant.yml" <<EOF
app: demo
hosts:
$hosts
balancers:
  edge: { agent: http://127.0.0.1:$lb_port, balancer: $lb_name, backend: demo }
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

say "A steady load through $front: 500 fast requests a second (a fifth of them on new connections), 3 s responses, streams, uploads"
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
