#!/usr/bin/env bash
# The steps of Capistrano (deploy:updating, deploy:migrate, deploy:publishing, deploy:restart, deploy:cleanup) over ssh: to all hosts at once, but
# the restart `in: :sequence`, waiting for health between two hosts. One connection to each host is kept, as SSHKit does. Gets more:
#   SSH_CONFIG  so that `ssh web1` reaches the host
set -euo pipefail
source "$(dirname "$0")/lib.sh"

release=releases/$(date +%Y%m%d%H%M%S)
on() { ssh -F "$SSH_CONFIG" "$1" "cd $FLEET/$1 && ${*:2}"; }
trap 'for host in $HOSTS; do ssh -F "$SSH_CONFIG" -O exit "$host" 2>/dev/null || true; done' EXIT

update() {
  on "$1" "mkdir -p $release"
  scp -q -F "$SSH_CONFIG" "$ARCHIVE" "$1:$FLEET/$1/$release.tar.gz"
  on "$1" "tar xzf $release.tar.gz -C $release && rm $release.tar.gz"
}
publish() { on "$1" "ln -sfn $release current.new && mv -T current.new current"; }
cleanup() { on "$1" "ls -1d releases/*/ | head -n -5 | xargs -r rm -rf"; }

together update $HOSTS
on "$first" "set -a && . ./env && $release/bin/demo eval 'Demo.Release.migrate()'"
echo "cutover begins"
together publish $HOSTS
for host in $HOSTS; do
  on "$host" "$here/service.sh . restart"
  # Asked from the host itself: from here the balancer's own network may not be reachable.
  on "$host" "timeout 30 sh -c 'until curl -fs -o /dev/null --max-time 2 http://127.0.0.1:$(port_of "$host")/health; do sleep 0.1; done'"
  echo "$host serves $version"
done
echo "cutover ends"
together cleanup $HOSTS
