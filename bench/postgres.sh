#!/usr/bin/env bash
# Backups, drills and migrations of Mainstay beside the bare tools, and readiness checks during an outage: in one run, in turns,
# in seconds of processors and on the clock.
#
#   bench/postgres.sh [--rows N] [--large] [--rounds N] [--migrations N] [--only backup,drill,migrations,readiness]
#
# 300,000 rows make a database of some 160 MB, and the whole some five minutes; `--large` one of 2 GB.
#
# MAINSTAY_BIN names the binary; else the release build is made. DBMATE and SQLX name those programs; else dbmate is had from npm
# (in target/tools), and sqlx is measured when `cargo install sqlx-cli --root target/tools` has put it there.
set -euo pipefail
cd "$(dirname "$0")/.."

DBMATE_PACKAGE=@dbmate/linux-x64@2.36.0
LARGE_ROWS=3800000

arguments=()
for argument in "$@"; do
    if [ "$argument" = --large ]; then arguments+=(--rows "$LARGE_ROWS"); else arguments+=("$argument"); fi
done

scripts/engine.sh
images/build.sh postgres17
[ -n "${MAINSTAY_BIN:-}" ] || { cargo build --release --locked -p mainstay && MAINSTAY_BIN=$PWD/target/release/mainstay; }
cargo build --quiet --release --locked -p mainstay-bench --bin mainstay-bench-postgres
cargo build --quiet --release --locked -p standing-pool --features axum --example bookings
tools=$PWD/target/tools
dbmate=${DBMATE:-$tools/dbmate/bin/dbmate} sqlx=${SQLX:-$tools/bin/sqlx}
if [ ! -x "$dbmate" ]; then
    CACHE=$tools images/npm-fetch.sh "$DBMATE_PACKAGE" "$tools/dbmate" || echo "without dbmate: it could not be fetched" >&2
fi
[ -x "$dbmate" ] || dbmate=
[ -x "$sqlx" ] || { sqlx=; echo "without sqlx: it is not in target/tools" >&2; }

name=mainstay-bench-pg-$$
root=$(mktemp -d)
cleaned() {
    docker ps -aq --filter "name=$name-" | xargs -r docker rm -fv >/dev/null
    docker network ls -q --filter "name=${name}_" | xargs -r docker network rm >/dev/null
    docker images --filter "reference=mainstay/$name/*" --format '{{.Repository}}:{{.Tag}}' | xargs -r docker rmi >/dev/null
    rm -rf "$root"
}
trap cleaned EXIT

echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)" >&2
target/release/mainstay-bench-postgres --mainstay "$MAINSTAY_BIN" --root "$root" --name "$name" --port $((20000 + $$ % 10000)) \
    --service target/release/examples/bookings --dbmate "$dbmate" --sqlx "$sqlx" ${arguments[@]+"${arguments[@]}"}
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)" >&2
