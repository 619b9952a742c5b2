#!/usr/bin/env bash
# Everything that CI runs, in the order in which a fault is found soonest. Leaves no container, network or volume.
set -euo pipefail
cd "$(dirname "$0")/.."

# Tests that need the engine fail when it is missing instead of skipping: here it was just provided.
export MAINSTAY_REQUIRE_ENGINE=1

# With the minutes since the start: what makes the suite slow is to be seen in its own output.
section() { printf '\n== %s (%d:%02d)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)) >&2; }

world() {
  docker ps --all --quiet --no-trunc
  docker network ls --quiet --no-trunc
  docker volume ls --quiet
}

run_tests() {
  # nextest runs each test in a process of its own; `cargo test` serves where it is not installed.
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast "$@"
  else
    cargo test --workspace --locked "$@"
  fi
}

section 'engine and test images'
scripts/engine.sh
images/build.sh tiny caddy postgres postgres17 pgbouncer node rclone registry
(cd examples/connected-repo && npm ci --ignore-scripts --omit=dev --prefer-offline --no-audit --no-fund)

section 'an ssh server, which the tests of --host start by themselves'
scripts/sshd.sh

# From here on nothing is installed: two at once would be in each other's way.
mkdir -p target
setsid scripts/build-ahead.sh >target/build-ahead.log 2>&1 &
ahead=$!
trap 'kill -- -$ahead 2>/dev/null || true' EXIT

section 'format, lints, tidy'
scripts/check.sh

before=$(world | sort)

section 'the reference for Compose files'
# Without it the recorded answers stand alone; which version was compared is said by the test.
MAINSTAY_REFERENCE=$(scripts/compose-v2.sh) || echo 'not to be had: the recorded answers are compared alone' >&2
export MAINSTAY_REFERENCE

section 'unit tests, laws, engine and end-to-end tests'
cargo build --workspace --locked
run_tests

section 'what was built meanwhile, to its end'
wait "$ahead" || { tail -n 60 target/build-ahead.log >&2; exit 1; }

section 'generated files thrown at the reader'
scripts/fuzz.sh repeatable

section 'the demo, as a newcomer runs it'
scripts/demo-test.sh

section 'leftovers'
after=$(world | sort)
if [ "$before" != "$after" ]; then
  echo 'the tests left something behind (or took something away):' >&2
  diff <(echo "$before") <(echo "$after") >&2 || true
  # Whose it was is seen from its labels, its name and its time.
  comm -13 <(echo "$before") <(echo "$after") | xargs --no-run-if-empty docker inspect >&2 || true
  exit 1
fi
echo 'nothing was left behind' >&2
