#!/bin/sh
# Installs Decant on a Linux without .deb packages, from the unpacked tarball that this file is in:
#   ./install.sh agent                          on servers: decantd with its units; also upgrades, and restarts it (releases serve on)
#   ./install.sh controller                     where you deploy from: decant
#   ./install.sh --uninstall agent|controller   configuration, data and running releases stay
#   ./install.sh --purge agent                  configuration and data too; refused while a release runs
# Programs go to /usr/local, units and the like to /etc. With DESTDIR=/some/root files are put below it, and nothing is started.
set -eu
cd "$(dirname "$0")"
root=${DESTDIR:-}
umask 022

usage() {
  sed -n '3,6s/^# *//p' install.sh >&2
  exit 2
}

refuse() {
  echo "install.sh: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  echo "  Nothing was changed." >&2
  exit 1
}

do=install
case ${1:-} in
  --uninstall) do=uninstall; shift ;;
  --purge) do=purge; shift ;;
esac
part=${1:-}
[ $# -eq 1 ] || usage
case $part in
  agent) program=decantd ;;
  controller) program=decant ;;
  *) usage ;;
esac
[ "$do/$part" != purge/controller ] || usage
listing=/usr/local/share/decant/installed-$part

# place PATH: where a file of the tree, which is laid out as Debian has it, goes on a machine that has a package manager of its own.
place() {
  case $1 in
    usr/lib/systemd/*) echo "/etc/systemd/${1#usr/lib/systemd/}" ;;
    usr/lib/*) echo "/etc/${1#usr/lib/}" ;;
    usr/share/polkit-1/*) echo "/etc/polkit-1/${1#usr/share/polkit-1/}" ;;
    usr/share/zsh/vendor-completions/*) echo "/usr/local/share/zsh/site-functions/${1##*/}" ;;
    usr/*) echo "/usr/local/${1#usr/}" ;;
    *) echo "/$1" ;;
  esac
}

booted() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

# at_least WANTED FOUND: whether a version is as new.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

check_machine() {
  . ./requirements
  [ "$(uname -s)/$(uname -m)" = "Linux/$machine" ] ||
    refuse "these programs are for Linux on $machine, and this is $(uname -s) on $(uname -m)." "Take the tarball for $(uname -m)."
  found=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)
  [ -n "$found" ] || refuse "the C library of this system is not glibc (musl?)." "The programs need glibc $glibc or later, as in Debian 12."
  at_least "$glibc" "$found" || refuse "the programs need glibc $glibc or later, and this system has $found." "Debian 12 has one that is new enough."
  PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -q 'libssl\.so\.3 ' || refuse "OpenSSL 3 (libssl.so.3) is missing." "Install it with this system's package manager."
  [ $part = agent ] || return 0
  found=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  [ -n "$found" ] || refuse "systemd is missing, which runs the agent." "In a container, run $PWD/agent/usr/bin/decantd by whatever supervises there."
  at_least 247 "$found" || refuse "the units need systemd 247 or later, and this system has $found."
}

check_owner() {
  [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || refuse "this needs root." "sudo $0 …, or DESTDIR=/some/root $0 … to look at what it would install."
  package=decant
  [ $part = controller ] || package=decant-agent
  [ -n "$root" ] || ! dpkg-query -W -f='${Status}' $package 2>/dev/null | grep -q 'ok installed' ||
    refuse "$package is installed as a Debian package." "Use apt, or remove that first: apt remove $package"
}

# put PATH: one file, by a rename, since a program that runs cannot be written to.
put() {
  target=$root$(place "$1")
  mkdir -p "$(dirname "$target")"
  cp "$part/$1" "$target.new"
  case $1 in
    # The units name the program where Debian has it.
    usr/lib/systemd/*) sed -i "s|/usr/bin/decantd|/usr/local/bin/decantd|g" "$target.new" ;;
  esac
  mv -f "$target.new" "$target"
}

install_part() {
  check_owner
  check_machine
  configuration=$root/etc/decant/agent.yml
  if [ $part = agent ] && [ -f "$configuration" ] && ! agent/usr/bin/decantd --check-config --config "$configuration"; then
    refuse "$configuration is not valid for this version (above)." "Mend it and run this again. An agent that runs was left alone."
  fi

  before=$(cat "$root$listing" 2>/dev/null || true)
  first=true
  [ -z "$before" ] || first=false
  files=$(cd $part && find . -type f ! -path './etc/*' | sed 's|^\./||' | LC_ALL=C sort)
  now=$(for file in $files; do place "$file"; done; echo "$listing")
  for file in $files; do put "$file"; done
  # What an earlier version had and this one has not.
  for file in $before; do
    printf '%s\n' "$now" | grep -qxF "$file" || rm -f "$root$file"
  done
  if [ $part = agent ]; then
    # The administrator's configuration is never written over.
    mkdir -p "$root/etc/decant"
    if [ ! -f "$configuration" ]; then
      cp agent/etc/decant/agent.yml "$configuration"
    elif ! cmp -s agent/etc/decant/agent.yml "$configuration"; then
      cp agent/etc/decant/agent.yml "$configuration.new"
      echo "$configuration was kept; the new commented one is $configuration.new"
    fi
  fi
  mkdir -p "$root$(dirname $listing)"
  printf '%s\n' "$now" >"$root$listing"
  . ./requirements
  echo "$program $version is installed: $root/usr/local/bin/$program"
  if [ $part = agent ] && [ -z "$root" ]; then start_agent; fi
}

start_agent() {
  systemd-sysusers decant.conf
  systemd-tmpfiles --create decant.conf
  if $first; then systemctl enable decantd.service; fi
  if booted; then
    systemctl daemon-reload
    if $first; then systemctl start decantd.service; else systemctl try-restart decantd.service; fi
    systemctl --no-pager --lines=0 status decantd.service || true
  else
    echo "systemd does not run here: decantd starts when the machine does"
  fi
}

uninstall_part() {
  [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || refuse "this needs root." "sudo $0 --uninstall $part"
  [ -f "$root$listing" ] || [ $do = purge ] || refuse "$program was not installed by install.sh: $root$listing is missing."
  if [ $do = purge ]; then
    running=$(find /proc/[0-9]*/exe /proc/[0-9]*/cwd -maxdepth 0 -lname "$root/var/lib/decant/*" -printf '%h\n' 2>/dev/null | cut -d/ -f3 | sort -un | tr '\n' ' ')
    [ -z "$running" ] || refuse "processes run from $root/var/lib/decant, which this would delete: $running" "Stop them first: kill -TERM $running"
  fi
  if [ $part = agent ] && [ -z "$root" ]; then
    ! booted || systemctl stop decant-proxy.socket decant-proxy.service decantd.service || true
    systemctl --quiet disable decant-proxy.socket decant-proxy.service decantd.service 2>/dev/null || true
  fi
  if [ -f "$root$listing" ]; then
    while read -r file; do
      rm -f "$root$file"
      case $file in */*.service.d/*) rmdir "$root${file%/*}" 2>/dev/null || true ;; esac
    done <"$root$listing"
  fi
  ! booted || systemctl daemon-reload
  if [ $do = purge ]; then
    rm -rf "$root/etc/decant" "$root/var/lib/decant"
    echo "$program, its configuration and its data are gone; the users decant and decant-app stay, locked"
  elif [ $part = agent ]; then
    echo "$program is gone; $root/etc/decant, $root/var/lib/decant and releases that run are as they were"
  else
    echo "$program is gone"
  fi
}

if [ $do = install ]; then install_part; else uninstall_part; fi
