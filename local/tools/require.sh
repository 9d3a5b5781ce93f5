#!/bin/sh
# Names whatever is missing on this machine, all of it at once, each with the command that gets it.
# `require.sh cargo` asks for what building takes, and for no Python.
missing=0
lack() {
    missing=1
    echo "missing: $1" >&2
    echo "    get it with: $2" >&2
}
command -v cargo >/dev/null || lack "the Rust toolchain" "apt-get install rustup && rustup toolchain install stable"
command -v cc >/dev/null || lack "a C compiler" "apt-get install build-essential"
if [ "${1:-}" = cargo ]; then
    exit $missing
fi
if command -v python3 >/dev/null; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || lack "Python 3.10 or newer" "apt-get install python3"
    python3 -c 'import ensurepip, venv' 2>/dev/null || lack "Python's venv" "apt-get install python3-venv"
else
    lack "Python 3" "apt-get install python3 python3-venv"
fi
exit $missing
