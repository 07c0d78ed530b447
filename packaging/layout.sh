# What is installed where, for packages and tarballs alike: the tree below /usr and /etc as Debian has it.
# Sourced by packaging/deb.sh and packaging/tarball.sh, from the repository's root.

# The version of everything: Directory.Build.props has it.
decant_version() { sed -n 's/.*<VersionPrefix>\(.*\)<\/VersionPrefix>.*/\1/p' Directory.Build.props; }

# Times of files and archives (reproducible-builds.org/specs/source-date-epoch): that of the newest entry of the changelog.
decant_epoch() { date -u -d "$(sed -n 's/^ -- .*>  //p' packaging/deb/changelog | head -n 1)" +%s; }

# need_native_programs BINDIR: what dotnet build makes is a launcher of a few KiB for a .NET runtime, which servers do not have.
need_native_programs() {
  local program
  for program in decantd decant; do
    [ -x "$1/$program" ] || { echo "$1/$program is missing: bash packaging/publish.sh $1" >&2; exit 1; }
    [ "$(stat -Lc %s "$1/$program")" -gt 4000000 ] || { echo "$1/$program is not a native program: bash packaging/publish.sh DIRECTORY makes one" >&2; exit 1; }
  done
}

# lay_out_agent ROOT BINDIR: decantd with its units, configuration, users, directories and manual.
lay_out_agent() {
  local root=$1 bin=$2
  install -D -m 755 "$bin/decantd" "$root/usr/bin/decantd"
  local part
  (cd packaging/systemd && find -L . -type f -printf '%P\n') | while read -r part; do
    install -D -m 644 "packaging/systemd/$part" "$root/usr/lib/systemd/system/$part"
  done
  install -D -m 644 packaging/sysusers/decant.conf "$root/usr/lib/sysusers.d/decant.conf"
  install -D -m 644 packaging/tmpfiles/decant.conf "$root/usr/lib/tmpfiles.d/decant.conf"
  install -D -m 644 packaging/polkit/decant.rules "$root/usr/share/polkit-1/rules.d/decant.rules"
  # The example with every line commented out: it shows the defaults, and a host has none of the example's balancers.
  install -d -m 755 "$root/etc/decant"
  sed 's/^[^#]/#&/' packaging/examples/agent.yml >"$root/etc/decant/agent.yml"
  chmod 644 "$root/etc/decant/agent.yml"
  install_pages "$root" packaging/man/decantd.8 packaging/man/agent.yml.5 packaging/man/decant-balancer.7
  install -D -m 644 "$bin/decantd.cdx.json" "$root/usr/share/doc/decant-agent/decantd.cdx.json"
  local examples=$root/usr/share/doc/decant-agent/examples
  install_all 644 "$examples" packaging/examples/*
  chmod 755 "$examples"/*.sh
}

# lay_out_controller ROOT BINDIR: decant with its completions, manual, and the schema of decant.yml.
lay_out_controller() {
  local root=$1 bin=$2
  install -D -m 755 "$bin/decant" "$root/usr/bin/decant"
  install -D -m 644 "$bin/decant.cdx.json" "$root/usr/share/doc/decant/decant.cdx.json"
  install -D -m 644 controller/Manifest/decant.schema.json "$root/usr/share/decant/decant.schema.json"
  install -D -m 644 controller/Manifest/decant.template.yml "$root/usr/share/doc/decant/examples/decant.yml"
  install -D -m 644 packaging/completions/decant.bash "$root/usr/share/bash-completion/completions/decant"
  install -D -m 644 packaging/completions/_decant "$root/usr/share/zsh/vendor-completions/_decant"
  install -D -m 644 packaging/completions/decant.fish "$root/usr/share/fish/vendor_completions.d/decant.fish"
  install_pages "$root" packaging/man/decant.1 packaging/man/decant.yml.5
}

install_all() {
  local mode=$1 directory=$2
  shift 2
  install -d -m 755 "$directory"
  install -m "$mode" "$@" "$directory"
}

install_pages() {
  local root=$1 page section
  shift
  for page in "$@"; do
    section=$root/usr/share/man/man${page##*.}
    install -D -m 644 "$page" "$section/$(basename "$page")"
    gzip -9n "$section/$(basename "$page")"
  done
}

# settle ROOT: modes that do not depend on the umask, and times that do not depend on the hour.
settle() {
  find "$1" -type d -exec chmod 755 {} +
  find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}
