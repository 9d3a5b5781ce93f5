#!/bin/bash
# The common crate without features, and the engine, are pure: no AWS, no async runtime in the engine.
# The program for one machine, and what its demo is built of, hold nothing of AWS's SDK or of Lambda.
set -euo pipefail
cargo check --quiet --package shared --no-default-features
cargo check --quiet --package matching
refuse() {
    local package=$1 pattern=$2 found crates
    shift 2
    crates=$(cargo tree --quiet --package "$package" "$@" --edges normal --prefix none | cut -d' ' -f1,2 | sort -u)
    found=$(grep -E "$pattern" <<<"$crates" || true)
    if [ -n "$found" ]; then
        echo "$package must not depend on:" >&2
        echo "$found" >&2
        exit 1
    fi
    echo "$package: $(wc -l <<<"$crates") crates, none of them AWS's"
}
aws='^(aws-config|aws-sdk-|aws-smithy|aws-runtime|aws-sigv4|aws-types|aws_lambda|lambda_)'
refuse shared "$aws" --no-default-features
refuse matching '^(aws-|aws_lambda|lambda_|tokio |reqwest |hyper )' --no-default-features
for package in crm-sync stack salesforce-simulator org-generator; do
    refuse "$package" "$aws"
done
