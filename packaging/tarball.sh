#!/usr/bin/env bash
# Makes decant-VERSION-linux-MACHINE.tar.gz of native programs, for distributions without .deb: programs, units, manual, and install.sh.
#   packaging/tarball.sh [BINDIR, default out/native] [OUTDIR, default out]
# BINDIR is what packaging/publish.sh wrote. Two runs over the same programs write the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
source packaging/prerequisites.sh
source packaging/layout.sh
need_packages binutils

bin=$(realpath "${1:-out/native}")
out=${2:-out}
need_native_programs "$bin"
mkdir -p "$out"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(decant_epoch)}
umask 022
name=decant-$(decant_version)-linux-$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

lay_out_agent "$work/$name/agent" "$bin"
lay_out_controller "$work/$name/controller" "$bin"
install -m 755 packaging/install.sh "$work/$name/install.sh"
install -m 644 LICENSE "$work/$name/LICENSE"
# What install.sh checks: machine, C library.
{
  echo "version=$(decant_version)"
  echo "machine=$(uname -m)"
  echo "glibc=$(objdump -T "$bin/decantd" "$bin/decant" | grep -o 'GLIBC_[0-9.]*' | cut -d_ -f2 | sort -V | tail -n 1)"
} >"$work/$name/requirements"
settle "$work/$name"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --format=ustar -cf - "$name" | gzip -6n >"$out/$name.tar.gz"
ls -l "$out/$name.tar.gz"
