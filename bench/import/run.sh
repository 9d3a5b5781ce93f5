#!/usr/bin/env bash
# Imports one org from the simulator with crm-sync, simple-salesforce's bulk2 and airbyte-source-salesforce, side by side.
#
#   bench/import/run.sh [ROWS] [RUNS]
#
# Prints a line of JSON for each run: the pipeline on one core in this process, then each reader of the org, in turn; at
# the end a table of ratios. The others are installed, pinned, where the conformance suite has them (or in TOOLS); nothing
# here is part of CI.
set -euo pipefail
cd "$(dirname "$0")/../.."

rows=${1:-1000000}
runs=${2:-1}
target=${CARGO_TARGET_DIR:-target}
folder=$target/bench/org-$rows
scratch=$(mktemp -d)
tools=${TOOLS:-$PWD/.tools/conformance}
venv() {
    python3 -c "import sys; from pathlib import Path; sys.path.insert(0, 'local/salesforce/conformance'); import run
run.venv(Path('$tools/$1'), '$2')"
}

cargo build --quiet --release --package import-bench --package salesforce-simulator
mkdir -p "$tools"
venv simple-salesforce requirements.txt
venv airbyte requirements-airbyte.txt
[ -e "$folder/Contact.csv" ] || python3 bench/import/make_org.py "$folder" "$rows"

$target/release/import-bench pipeline 10000
$target/release/import-bench pipeline "$rows"

$target/release/salesforce-simulator --org "$folder" --ca-out "$scratch/ca.pem" --ready-file "$scratch/ready.json" 2> /dev/null &
simulator=$!
trap 'kill $simulator; rm -rf "$scratch"' EXIT
while [ ! -e "$scratch/ready.json" ]; do sleep 0.2; kill -0 $simulator; done

for _ in $(seq "$runs"); do
    $target/release/import-bench org "$scratch/ready.json"
    for client in simple-salesforce airbyte; do
        "$tools/$client/bin/python" bench/import/others.py $client "$scratch/ready.json" "$scratch/ca.pem"
    done
done | tee "$scratch/runs"
python3 bench/import/ratios.py < "$scratch/runs"
