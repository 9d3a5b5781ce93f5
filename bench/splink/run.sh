#!/bin/sh
# Runs Splink and crm-sync on the same files, side by side, and prints the ratio.
#
#   bench/splink/run.sh [SET] [RUNS] [CHART.svg]
#
# SET is a folder with profiles.jsonl.gz, companies.jsonl.gz, Lead.csv.gz and truth.csv.gz. Without one, a set of
# SCALE (default 100000) people is generated. Splink gets a virtual environment of its own; nothing here is part of CI.
set -eu
cd "$(dirname "$0")/../.."

set_folder=${1:-}
runs=${2:-3}
chart=${3:-docs/matching-splink.svg}
venv=${SPLINK_VENV:-.venv-splink}

if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" --quiet install --requirement bench/splink/requirements.txt
fi
crm_sync=${CRM_SYNC:-}
if [ -z "$crm_sync" ]; then
    cargo build --quiet --release --package crm-sync
    crm_sync=target/release/crm-sync
fi
if [ -z "$set_folder" ]; then
    set_folder=target/bench/set-${SCALE:-100000}
    [ -e "$set_folder/truth.csv.gz" ] || "$crm_sync" generate "$set_folder" --scale "${SCALE:-100000}" --seed 1
fi
exec "$venv/bin/python" bench/splink/compare.py "$crm_sync" "$set_folder" --runs "$runs" --chart "$chart"
