#!/usr/bin/env bash
# Measures `crm-sync serve` on this machine, the simulator beside it, with optimised binaries.
#
#   bench/one-machine/run.sh [ROWS] [RUNS]
#
# First an org of ROWS leads and contacts against a directory of as many people: times, memory, how fast the API answers,
# what the process takes at rest. Then the import alone of ROWS wide contacts, RUNS times, and after each simple-salesforce's
# bulk2, which only downloads the same rows. It is installed, pinned, where the conformance suite has it (or in TOOLS).
# Nothing here is part of CI.
set -euo pipefail
cd "$(dirname "$0")/../.."

rows=${1:-1000000}
runs=${2:-1}
target=${CARGO_TARGET_DIR:-target}
made=$target/bench/made-$rows
org=$target/bench/crm-$rows
wide=$target/bench/org-$rows
scratch=$(mktemp -d)
tools=${TOOLS:-$PWD/.tools/conformance}
stack=("$target/release/stack" --binaries "$target/release" measure)

cargo build --quiet --release --bin crm-sync --bin stack --bin salesforce-simulator
mkdir -p "$tools" "$target/bench"
python3 -c "import sys; from pathlib import Path; sys.path.insert(0, 'local/salesforce/conformance'); import run
run.venv(Path('$tools/simple-salesforce'), 'requirements.txt')"
if [ ! -e "$org/org.json" ]; then
    "$target/release/crm-sync" generate "$made" --scale "$rows"
    python3 bench/one-machine/make_org.py "$made" "$org"
fi
[ -e "$wide/Contact.csv" ] || python3 bench/import/make_org.py "$wide" "$rows"

"${stack[@]}" --org "$org" --people "$made/profiles.jsonl.gz" --companies "$made/companies.jsonl.gz"

for _ in $(seq "$runs"); do
    "${stack[@]}" --org "$wide"
    rm -f "$scratch/ready.json"
    "$target/release/salesforce-simulator" --org "$wide" --ca-out "$scratch/ca.pem" --ready-file "$scratch/ready.json" 2> /dev/null &
    simulator=$!
    trap 'kill $simulator 2> /dev/null || true; rm -rf "$scratch"' EXIT
    while [ ! -e "$scratch/ready.json" ]; do sleep 0.2; kill -0 $simulator; done
    "$tools/simple-salesforce/bin/python" bench/import/others.py simple-salesforce "$scratch/ready.json" "$scratch/ca.pem"
    kill $simulator
    wait $simulator || true
done
