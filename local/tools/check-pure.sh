#!/bin/bash
# The common crate without features, and the engine, are pure: no AWS, no async runtime in the engine.
set -euo pipefail
cargo check --quiet --package shared --no-default-features
cargo check --quiet --package matching
refuse() {
    local package=$1 pattern=$2 found
    found=$(cargo tree --quiet --package "$package" --no-default-features --edges normal --prefix none | grep -E "$pattern" | sort -u || true)
    if [ -n "$found" ]; then
        echo "$package must not depend on:" >&2
        echo "$found" >&2
        exit 1
    fi
    echo "$package: $(cargo tree --quiet --package "$package" --no-default-features --edges normal --prefix none | cut -d' ' -f1 | sort -u | wc -l) crates, none of them AWS's"
}
refuse shared '^(aws-config|aws-sdk-|aws-smithy|aws-types|aws_lambda|lambda_)'
refuse matching '^(aws-|aws_lambda|lambda_|tokio |reqwest |hyper )'
