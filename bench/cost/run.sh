#!/usr/bin/env bash
# Counts what a connection of ROWS rows takes on AWS, at the ports, over the embedded stores; then prices it in
# docs/cost.md. Nothing here is part of CI.
#
#   bench/cost/run.sh [ROWS]
set -euo pipefail
cd "$(dirname "$0")/../.."

rows=${1:-100000}
target=${CARGO_TARGET_DIR:-target}
made=$target/bench/made-$rows
org=$target/bench/crm-$rows

mkdir -p "$target/bench"
if [ ! -e "$org/org.json" ]; then
    cargo build --quiet --profile demo --bin crm-sync
    "$target/demo/crm-sync" generate "$made" --scale "$rows"
    python3 bench/one-machine/make_org.py "$made" "$org"
fi
COST_ORG=$(realpath "$org") COST_DIRECTORY=$(realpath "$made") cargo nextest run --workspace --test it \
    --ignore-default-filter --run-ignored only --no-capture -E 'test(/^cost::/)'
python3 bench/cost/page.py docs/cost.md .local/cost-*.json
