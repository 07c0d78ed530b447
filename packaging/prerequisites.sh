# Installs from Debian what building, testing and demonstrating Decant needs, and says plainly what is missing.
# Sourced by packaging/demo.sh and tests/run.sh.

need_dotnet() {
  if ! command -v dotnet >/dev/null; then
    echo "The .NET SDK 10 is missing. Install it (https://learn.microsoft.com/dotnet/core/install/linux-debian) and run this again." >&2
    exit 1
  fi
  if ! dotnet --version >/dev/null 2>&1; then
    echo "The .NET SDK that is installed does not satisfy global.json (10.0): $(dotnet --list-sdks | tr '\n' ' ')" >&2
    exit 1
  fi
}

# need_packages PACKAGE...: installs those that are not there.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0

  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These Debian packages are missing, and neither root nor sudo is there to install them: ${missing[*]}" >&2
      exit 1
    fi
    sudo=(sudo)
  fi

  echo "Installing from Debian: ${missing[*]}"
  # No service of these packages is wanted: every program runs with a configuration of its own.
  local log
  log=$(mktemp)
  if ! { "${sudo[@]}" apt-get update -q &&
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install: ${missing[*]}" >&2
    exit 1
  fi
  rm -f "$log"
}

# What an Elixir release of the demo app is built from.
elixir_packages=(elixir erlang-base erlang-crypto erlang-runtime-tools erlang-parsetools erlang-syntax-tools erlang-tools erlang-dev erlang-p1-sqlite3)
# What native AOT links with.
aot_packages=(clang zlib1g-dev)
