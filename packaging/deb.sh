#!/usr/bin/env bash
# Makes the Debian packages decant-agent and decant of native programs:
#   packaging/deb.sh [BINDIR, default out/native] [OUTDIR, default out]
# BINDIR is what packaging/publish.sh wrote. Two runs over the same programs write the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
source packaging/prerequisites.sh
source packaging/layout.sh
need_packages dpkg-dev

bin=$(realpath "${1:-out/native}")
out=${2:-out}
need_native_programs "$bin"
mkdir -p "$out"
out=$(realpath "$out")

version=$(decant_version)
described=$(sed -n '1s/^[a-z-]* (\(.*\)) .*/\1/p' packaging/deb/changelog)
if [ "$version" != "$described" ]; then
  echo "packaging/deb/changelog begins with $described, and Directory.Build.props says $version: add an entry for it" >&2
  exit 1
fi
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(decant_epoch)}
umask 022
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# libraries PROGRAM: the packages, with their versions, of the libraries that it is linked with.
libraries() {
  mkdir -p "$work/shlibs/debian"
  echo "Source: decant" >"$work/shlibs/debian/control"
  (cd "$work/shlibs" && dpkg-shlibdeps -O "$1" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
}

# package NAME PART: from packaging/deb/PART and the tree that is laid out in $work/NAME.
package() {
  local name=$1 part=$2 root=$work/$1 documents=$work/$1/usr/share/doc/$1 file
  install -D -m 644 packaging/deb/copyright "$documents/copyright"
  # Each package's changelog bears its name.
  sed "s/^decant (/$name (/" packaging/deb/changelog | gzip -9n >"$documents/changelog.gz"
  chmod 644 "$documents/changelog.gz"
  install -D -m 644 "packaging/deb/$part/lintian-overrides" "$root/usr/share/lintian/overrides/$name"

  install -d -m 755 "$root/DEBIAN"
  for file in postinst prerm postrm; do
    [ ! -f "packaging/deb/$part/$file" ] || install -m 755 "packaging/deb/$part/$file" "$root/DEBIAN/$file"
  done
  [ ! -d "$root/etc" ] || (cd "$root" && find etc -type f -printf '/%p\n' | LC_ALL=C sort >DEBIAN/conffiles)
  (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  local linked size
  linked=$(libraries "$root/usr/bin/$(basename "$root"/usr/bin/*)")
  # In KiB as dpkg-gencontrol(1) counts: files rounded up, and 1 for anything else.
  size=$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' -o -printf '0\n' | awk '{ kib += $1 ? int(($1 + 1023) / 1024) : 1 } END { print kib }')
  sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@LIBRARIES@/$linked/" -e "s/@SIZE@/$size/" -e '/^#/d' \
    "packaging/deb/$part/control" >"$root/DEBIAN/control"
  settle "$root"
  # One thread, since the number of threads decides how xz cuts its input.
  dpkg-deb --root-owner-group -Zxz -z1 --threads-max=1 --build "$root" "$out/${name}_${version}_$architecture.deb" >/dev/null
}

lay_out_agent "$work/decant-agent" "$bin"
lay_out_controller "$work/decant" "$bin"
package decant-agent agent &
agent=$!
package decant controller
wait $agent
ls -l "$out/decant-agent_${version}_$architecture.deb" "$out/decant_${version}_$architecture.deb"
