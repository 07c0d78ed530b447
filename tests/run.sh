#!/usr/bin/env bash
# Sets up everything and passes the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet build Agents.sln
dotnet format Agents.sln --verify-no-changes --no-restore
dotnet test Agents.sln --no-build
