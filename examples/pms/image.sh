#!/usr/bin/env bash
# Builds pms-backend, and its image pms-backend:local, for the machine that this runs on.
set -euo pipefail
cd "$(dirname "$0")/../.."

images/build.sh tiny postgres >/dev/null
cargo build --quiet --release --locked -p pms-backend
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp target/release/pms-backend examples/pms/backend/Dockerfile "$context"
docker build -q -t pms-backend:local "$context"
