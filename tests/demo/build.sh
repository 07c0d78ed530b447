#!/usr/bin/env bash
# Builds a version of the demo app with `mix release` and writes DIR/demo-VERSION.tar.gz:
#   build.sh --version 1.2.3 --out DIR [--misbehave knob,knob] [--no-erts] [--migrations N]
# Built once for each variant and kept in ${DECANT_TEST_CACHE:-~/.cache/decant-tests}; needs no network.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

version='' out='' misbehave='' erts=true migrations=2
while [ $# -gt 0 ]; do
  case $1 in
    --version) version=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --misbehave) misbehave=$2; shift 2 ;;
    --no-erts) erts=false; shift ;;
    --migrations) migrations=$2; shift 2 ;;
    *) echo "build.sh: unknown option $1" >&2; exit 2 ;;
  esac
done
[ -n "$version" ] && [ -n "$out" ] || { echo "usage: build.sh --version V --out DIR [--misbehave a,b] [--no-erts] [--migrations N]" >&2; exit 2; }
command -v mix >/dev/null || { echo "build.sh: elixir is missing (apt-get install elixir)" >&2; exit 1; }
sqlite=$(find /usr/lib/erlang/lib -maxdepth 1 -name 'p1_sqlite3-*' | head -n 1)
[ -n "$sqlite" ] || { echo "build.sh: erlang-p1-sqlite3 is missing (apt-get install erlang-p1-sqlite3)" >&2; exit 1; }

cache=${DECANT_TEST_CACHE:-${HOME:-/root}/.cache/decant-tests}/demo
key=$(cd "$here" && { find mix.exs config lib -type f | LC_ALL=C sort | xargs sha256sum; echo "$version|$misbehave|$erts|$migrations|$sqlite"; elixir --version; } | sha256sum | cut -c1-16)
tree=$cache/$key
archive=$tree/_build/prod/demo-$version.tar.gz
mkdir -p "$cache" "$out"

exec 9>"$cache/$key.lock"
flock 9
if [ ! -f "$tree/done" ]; then
  rm -rf "$tree"
  mkdir -p "$tree/deps/sqlite3"
  cp -r "$here/mix.exs" "$here/config" "$here/lib" "$tree/"
  # Debian's package calls the directory p1_sqlite3 and the application sqlite3; mix wants one name.
  cp -r "$sqlite/ebin" "$sqlite/priv" "$tree/deps/sqlite3/"
  log=$tree/build.log
  if ! (cd "$tree" && MIX_ENV=prod DEMO_BUILD_VERSION=$version DEMO_BUILD_MISBEHAVE=$misbehave DEMO_BUILD_ERTS=$erts \
    DEMO_BUILD_MIGRATIONS=$migrations mix release --quiet) >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  touch "$tree/done"
fi
cp "$archive" "$out/demo-$version.tar.gz"
