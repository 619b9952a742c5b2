#!/usr/bin/env bash
# Format, lints as errors, and the rules of the house (xtask tidy). Needs no engine.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo run --quiet --locked -p xtask -- tidy
