#!/usr/bin/env bash
# Unpacks one npm package, without installing it: npm-fetch.sh PACKAGE@VERSION FOLDER. Keeps the download in $CACHE.
set -euo pipefail

package=$1 folder=$2
archive=$CACHE/npm/${package//[\/@]/_}.tgz
command -v npm >/dev/null || { echo "npm is needed on this machine to fetch $package" >&2; exit 1; }

if [ ! -s "$archive" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    npm pack --silent --pack-destination "$work" "$package"
    mkdir -p "$CACHE/npm"
    mv "$work"/*.tgz "$archive"
fi
mkdir -p "$folder"
tar -xzf "$archive" -C "$folder" --strip-components=1
