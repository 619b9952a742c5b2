#!/usr/bin/env bash
# Throws generated files at the reader of Compose files, guided by the code that they reach.
#
#   scripts/fuzz.sh                  every target for a minute
#   scripts/fuzz.sh 600              every target for ten minutes
#   scripts/fuzz.sh 3600 load        one target for an hour (yaml interpolation env-file values short-forms load)
#   scripts/fuzz.sh 0 load FILE      runs one input again: what a crash left
#   scripts/fuzz.sh repeatable       a fixed number of inputs, the same ones each time
#   scripts/fuzz.sh build            builds what the others run
#
# MAINSTAY_FUZZ_SEEDS names a folder of more files to start from. What is found on the way is kept in
# target/fuzz/<target>, so that the next run goes on; a crash leaves its input in target/fuzz/crashes and fails.
#
# libFuzzer is driven directly: its instrumentation is reached by flags of the stable compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

SECONDS_EACH=${1:-60}
# `repeatable` walks the same inputs each time: for a suite that must say the same of the same tree.
REPEATABLE_RUNS=30000
TARGETS=(yaml interpolation env-file values short-forms load)
[ -z "${2:-}" ] || TARGETS=("$2")
INPUT=${3:-}
# A file that is read takes milliseconds; what takes this long hangs.
TIMEOUT=10
MEMORY_MB=1024
# Compared values are remembered as food for later inputs, addresses among them: those have to be the same each time.
SAME_ADDRESSES=(setarch -R)
"${SAME_ADDRESSES[@]}" true 2>/dev/null || SAME_ADDRESSES=(env)
HOST=$(rustc -vV | sed -n 's/^host: //p')
WORK=target/fuzz

say() { printf 'fuzz: %s\n' "$*" >&2; }

# libFuzzer is C++.
if ! command -v c++ >/dev/null; then
    say 'installing a C++ compiler'
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get -q install -y g++ >/dev/null || { $sudo apt-get -q update >/dev/null && $sudo apt-get -q install -y g++ >/dev/null; }
fi

build() {
    # What `cargo fuzz` sets for stable compilers. `--target` keeps them from build scripts.
    local flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
    flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
    flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
    RUSTFLAGS=$flags cargo build --release --locked --manifest-path fuzz/Cargo.toml --target "$HOST" --target-dir "$WORK/build"
}

run() {
    local target=$1 kept=$WORK/$1 arguments
    mkdir -p "$kept" "$WORK/crashes"
    arguments=(-timeout="$TIMEOUT" -rss_limit_mb="$MEMORY_MB" -artifact_prefix="$WORK/crashes/$target-" -print_final_stats=1)
    if [ -n "$INPUT" ]; then
        arguments+=("$INPUT")
    else
        arguments+=(-max_len=4096 -dict=fuzz/compose.dict)
        if [ "$SECONDS_EACH" = repeatable ]; then
            # A folder is read in the order of its file system, which differs from machine to machine.
            printf '%s\n' "fuzz/seeds/$target"/* | LC_ALL=C sort | paste -sd, >"$WORK/$target.seeds"
            rm -rf "$kept" && mkdir -p "$kept"
            # Without `-reload=0` its own folder is read again by the clock.
            arguments+=(-seed=1 -runs="$REPEATABLE_RUNS" -reload=0 -seed_inputs="@$WORK/$target.seeds" "$kept")
        else
            arguments+=(-max_total_time="$SECONDS_EACH" "$kept" "fuzz/seeds/$target")
        fi
        [ -z "${MAINSTAY_FUZZ_SEEDS:-}" ] || arguments+=("$MAINSTAY_FUZZ_SEEDS")
    fi
    MAINSTAY_FUZZ_TARGET=$target "${SAME_ADDRESSES[@]}" "$WORK/build/$HOST/release/mainstay-fuzz" "${arguments[@]}" >"$WORK/$target.log" 2>&1 || {
        tail -n 60 "$WORK/$target.log" >&2
        say "$target: failed; $WORK/$target.log says how, and $WORK/crashes holds the input"
        return 1
    }
    say "$target: $(sed -n 's/^stat::number_of_executed_units: */inputs: /p' "$WORK/$target.log"), $(sed -n 's/^stat::peak_rss_mb: */MB at most: /p' "$WORK/$target.log")"
}

build
[ "$SECONDS_EACH" != build ] || exit 0
failed=0
for target in "${TARGETS[@]}"; do
    run "$target" || failed=1
done
exit "$failed"
