#!/usr/bin/env bash
# Measures the release build beside `docker compose` v2 and bare engine calls. Arguments go on to the bench:
# --rounds N, --sizes 1,10,50, --out FILE.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/engine.sh
images/build.sh tiny
compose=$(scripts/compose-v2.sh)
cargo build --release --locked -p mainstay -p mainstay-bench
exec target/release/mainstay-bench --mainstay target/release/mainstay --compose "$compose" "$@"
