#!/usr/bin/env bash
# Makes the root file system of the tests' booted hosts, Debian 12 with systemd, and prints where it is:
#   root.sh
# Made once for each content of this file and kept in ${DECANT_TEST_ROOTS:-/var/cache/decant-tests}; hosts boot from overlays of it, so it never
# changes. Needs root, debootstrap and Debian's mirror.
set -euo pipefail

# Beside the system itself: what hosts of the tests run (HAProxy), and what releases of the demo app are linked with.
packages=systemd,systemd-sysv,libpam-systemd,dbus,polkitd,iproute2,procps,ca-certificates,haproxy,libsqlite3-0,libssl3,libstdc++6,libtinfo6,zlib1g
mirror=${DECANT_TEST_MIRROR:-http://deb.debian.org/debian}

cache=${DECANT_TEST_ROOTS:-/var/cache/decant-tests}
root=$cache/root-$(sha256sum "$0" | cut -c1-16)
mkdir -p "$cache"
exec 9>"$root.lock"
flock 9
if [ ! -d "$root" ]; then
  # Removed by a trap of this shell only: a build that was killed leaves a directory that the next one clears.
  rm -rf "$root.new"
  if ! debootstrap --variant=minbase --include="$packages" bookworm "$root.new" "$mirror" >"$root.log" 2>&1; then
    tail -n 20 "$root.log" >&2
    exit 1
  fi

  # Nothing of a host runs by itself: no timers of apt, no HAProxy before a test wants one, no login on the console.
  for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer console-getty.service getty.target \
    systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service; do
    ln -sf /dev/null "$root.new/etc/systemd/system/$unit"
  done
  rm -f "$root.new/etc/systemd/system/multi-user.target.wants/haproxy.service" "$root.new/etc/machine-id"
  rm -rf "$root.new/var/cache/apt" "$root.new/var/lib/apt/lists"
  mkdir -p "$root.new/var/cache/apt/archives/partial" "$root.new/var/lib/apt/lists/partial"
  mv "$root.new" "$root"
fi
echo "$root"
