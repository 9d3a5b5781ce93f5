#!/bin/sh
# A browser for the console's walk, and what drives it: Debian's own packages, installed where they
# are missing and we may; else named, with the command that gets them.
set -eu
packages=
for name in chromium node npm; do
    command -v "$name" >/dev/null && continue
    if [ "$name" = node ]; then name=nodejs; fi
    packages="$packages $name"
done
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    as=
elif sudo -n true 2>/dev/null; then
    as=sudo
else
    echo "missing:$packages" >&2
    echo "    get it with: apt-get install$packages" >&2
    exit 1
fi
$as apt-get update -q
# shellcheck disable=SC2086 # several names
$as apt-get install -q --yes --no-install-recommends $packages
