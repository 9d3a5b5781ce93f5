#!/bin/sh
# Times crm-sync on a million people and a million leads, and on a tenth of that, and checks what it says.
#
#   bench/speed/run.sh [LARGE [SMALL [RUNS]]]
#
# LARGE and SMALL are folders with profiles.jsonl.gz, companies.jsonl.gz, Lead.csv.gz and truth.csv.gz, of which
# LARGE has ten times as many people. What is not given is generated under target/bench. Nothing here is part of CI.
set -eu
cd "$(dirname "$0")/../.."

runs=${3:-5}
crm_sync=${CRM_SYNC:-}
if [ -z "$crm_sync" ]; then
    cargo build --quiet --release --package crm-sync
    crm_sync=target/release/crm-sync
fi

# A set of SCALE people and as many leads: the generator deals its records to leads and contacts by halves.
set_of() {
    folder=target/bench/speed-$1
    if [ ! -e "$folder/truth.csv.gz" ]; then
        echo "generating $folder" >&2
        "$crm_sync" generate "$folder" --scale "$1" --seed 42 >&2
    fi
    echo "$folder"
}

large=${1:-$(set_of 1000000)}
small=${2:-$(set_of 100000)}
exec python3 bench/speed/measure.py "$crm_sync" "$small" "$large" --runs "$runs"
