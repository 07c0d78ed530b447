#!/usr/bin/env bash
# Sets up everything, builds, checks the formatting and passes the tests.
#   tests/run.sh             all tests (what CI runs)
#   tests/run.sh --quick     without the native AOT build: the end-to-end tests run the programs as dotnet build makes them
# Otherwise the end-to-end tests run the native programs, which are what is shipped.
# Ends with one line: N passed, N failed, N skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
source packaging/prerequisites.sh

quick=false
[ "${1:-}" = "--quick" ] && quick=true

need_dotnet
need_packages "${elixir_packages[@]}" clang haproxy nginx-light caddy sqlite3 systemd systemd-container debootstrap curl procps iproute2 lintian dpkg-dev polkitd zsh fish python3 python3-grpcio protobuf-compiler protobuf-compiler-grpc libprotobuf-dev
$quick || need_packages "${aot_packages[@]}"

step() { printf '\n== %s\n' "$*"; }

step "Build"
dotnet restore Agents.sln --locked-mode
dotnet build Agents.sln --no-restore --nologo -clp:NoSummary

step "Formatting"
dotnet format Agents.sln --verify-no-changes --no-restore

step "Vulnerabilities"
bash tests/vulnerable.sh

results=$(mktemp -d)
publishing=''
trap '[ -z "$publishing" ] || kill "$publishing" 2>/dev/null || true; rm -rf "$results"' EXIT

# The native build takes minutes of one core; what comes before the end-to-end tests leaves the other idle.
if ! $quick; then
  nice -n 10 bash packaging/publish.sh "$results/native" >"$results/publish.log" 2>&1 &
  publishing=$!
fi

passed=0 failed=0 skipped=0 broken=0

# run_tests NAME PROJECT [dotnet test options]: adds its outcome to the account; a run that ends without one counts as broken.
run_tests() {
  local name=$1 project=$2
  shift 2
  step "$name"
  dotnet test "$project" --no-build --nologo --logger "console;verbosity=normal" --logger "trx;LogFileName=$name.trx" \
    --results-directory "$results" --blame-hang-timeout 10m "$@" || true
  local counters
  counters=$(grep -o '<Counters [^>]*>' "$results/$name.trx" 2>/dev/null || true)
  if [ -z "$counters" ]; then
    echo "$name ended without a result" >&2
    broken=$((broken + 1))
    return
  fi
  local total executed ok
  total=$(sed -E 's/.* total="([0-9]+)".*/\1/' <<<"$counters")
  executed=$(sed -E 's/.* executed="([0-9]+)".*/\1/' <<<"$counters")
  ok=$(sed -E 's/.* passed="([0-9]+)".*/\1/' <<<"$counters")
  passed=$((passed + ok))
  failed=$((failed + executed - ok))
  skipped=$((skipped + total - executed))
}

run_tests agent tests/Agent.Tests
run_tests controller tests/Controller.Tests
run_tests fuzzing tests/Fuzzing

if $quick; then
  run_tests end-to-end tests/EndToEnd
elif step "Native AOT" && wait "$publishing"; then
  cat "$results/publish.log"
  DECANT_TEST_BIN="$results/native" run_tests end-to-end tests/EndToEnd
else
  cat "$results/publish.log" >&2
  broken=$((broken + 1))
fi

failed=$((failed + broken))
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
