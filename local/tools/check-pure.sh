#!/bin/sh
# Fails if the crm-sync program reaches a crate of AWS's SDK or of Lambda.
set -eu
found=$(cargo tree --locked -p crm-sync -e normal --prefix none |
  grep -E '^(aws-(sdk|config|runtime|smithy|sigv4|types)|aws_lambda|lambda)' | sort -u || true)
if [ -n "$found" ]; then
  echo "crm-sync reaches what belongs to the functions on AWS:" >&2
  echo "$found" >&2
  exit 1
fi
