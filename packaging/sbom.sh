#!/usr/bin/env bash
# Writes the bills of materials of decantd and decant (CycloneDX JSON) into a directory, beside the programs: packaging/sbom.sh DIRECTORY
# Of the restored projects, so packaging/publish.sh calls it. Two runs write the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
source packaging/prerequisites.sh
source packaging/layout.sh
need_dotnet
need_packages python3

out=$(realpath "$1")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(decant_epoch)}
# The tool's version is in packaging/dotnet-tools.json, which is looked for where the command is run.
(cd packaging && dotnet tool restore >/dev/null)

# bill PROJECT PROGRAM: what is compiled into it; Grpc.Tools only generates code.
bill() {
  (cd packaging && dotnet tool run dotnet-CycloneDX -- "../$1" --output "$out" --filename "$2.cdx.json" --output-format Json --spec-version 1.6 \
    --disable-package-restore --no-serial-number --exclude-filter Grpc.Tools --set-name "$2" --set-version "$(cd .. && decant_version)" >/dev/null)
  python3 - "$out/$2.cdx.json" "$(dirname "$1")/packages.lock.json" <<'PYTHON'
import datetime, json, os, sys

file, lock = sys.argv[1:]
bill = json.load(open(file, encoding="utf-8-sig"))
moment = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
bill["metadata"]["timestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")

# Native programs hold the runtime too: CoreLib, garbage collector, zlib and, in the agent, ASP.NET Core. It comes with the SDK that compiles
# them, whose version the lock file has at ILCompiler.
packages = json.load(open(lock))["dependencies"]["net10.0"]
runtime = packages["Microsoft.DotNet.ILCompiler"]["resolved"]
names = ["Microsoft.NETCore.App.Runtime.NativeAOT"] + (["Microsoft.AspNetCore.App.Runtime"] if "Grpc.AspNetCore" in packages else [])
for name in names:
    purl = f"pkg:nuget/{name}@{runtime}"
    bill["components"].append({
        "type": "framework", "bom-ref": purl, "name": name, "version": runtime, "publisher": "Microsoft", "purl": purl,
        "scope": "required", "licenses": [{"license": {"id": "MIT"}}],
    })
    bill["dependencies"].append({"ref": purl, "dependsOn": []})
bill["components"].sort(key=lambda component: component["purl"])
bill["dependencies"].sort(key=lambda dependency: dependency["ref"])
with open(file, "w") as written:
    json.dump(bill, written, indent=2)
    written.write("\n")
PYTHON
}

bill agent/Decant.Agent.csproj decantd
bill controller/Decant.Controller.csproj decant
