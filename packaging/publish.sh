#!/usr/bin/env bash
# Builds decantd and decant as native programs (AOT) with their bills of materials into a directory:
#   packaging/publish.sh [DIRECTORY, default out/native]
# Trim and AOT warnings are errors, but for the assemblies named here, which are not ours; the end-to-end tests run them natively.
set -euo pipefail
cd "$(dirname "$0")/.."
source packaging/prerequisites.sh
need_dotnet
need_packages "${aot_packages[@]}"

out=${1:-out/native}
foreign='LiteDB|Serilog|Grpc\.AspNetCore\.Server\.Reflection|Grpc\.Reflection|Serilog\.[A-Za-z.]+|Google\.Protobuf'
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for project in agent controller; do
  if ! dotnet publish "$project" -c Release -r "$(dotnet --info | sed -n 's/^ *RID: *//p')" --nologo -o "$out" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  # IL2104 and IL3053 name the assembly that they are about.
  if grep -E 'warning IL[0-9]+' "$log" | grep -vE "Assembly '($foreign)' produced" >&2; then
    echo "$project: trim or AOT warnings that are not of a known foreign assembly" >&2
    exit 1
  fi
done
bash packaging/sbom.sh "$out"
ls -l "$out/decantd" "$out/decant"
