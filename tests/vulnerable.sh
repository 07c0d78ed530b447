#!/usr/bin/env bash
# Asks the package source whether a package that Decant uses, directly or not, has a known vulnerability. Fails when one has.
# A source that has no advisories answers the same as one that has none for us: a package with a known one tells them apart.
set -euo pipefail
cd "$(dirname "$0")/.."

# known PROJECT: its vulnerable packages, one a line.
known() {
  dotnet list "$1" package --vulnerable --include-transitive --format json >"$work/answer.json"
  python3 - "$work/answer.json" <<'PYTHON'
import json, sys

answer = json.load(open(sys.argv[1]))
if answer.get("problems"):
    sys.exit("\n".join(problem["text"] for problem in answer["problems"]))
for project in answer["projects"]:
    for framework in project.get("frameworks", []):
        for package in framework.get("topLevelPackages", []) + framework.get("transitivePackages", []):
            for advisory in package.get("vulnerabilities", []):
                print(project["path"].rsplit("/", 1)[-1], package["id"], package["resolvedVersion"], advisory["severity"], advisory["advisoryurl"])
PYTHON
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
found=$(known Agents.sln)
if [ -n "$found" ]; then
  printf 'packages with known vulnerabilities:\n%s\n' "$found" >&2
  exit 1
fi

cat >"$work/canary.csproj" <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework><NuGetAudit>false</NuGetAudit></PropertyGroup>
  <ItemGroup><PackageReference Include="Newtonsoft.Json" Version="12.0.1" /></ItemGroup>
</Project>
XML
if dotnet restore "$work/canary.csproj" >/dev/null 2>&1 && [ -n "$(known "$work/canary.csproj")" ]; then
  echo "no package with a known vulnerability"
else
  echo "NOT CHECKED: the package source of this machine has no advisories; it does not even name that of Newtonsoft.Json 12.0.1 (GHSA-5crp-9r3c-p9vr)"
fi
