#!/usr/bin/env bash
# Takes away what scripts/demo.sh made: the three stacks and the edge with their volumes, the server, and target/demo.
#
#   scripts/demo-down.sh            images stay, so that the next demo starts at once
#   scripts/demo-down.sh --images   the images that were built here go too; pulled ones may be yours, and stay
#
# It ends with a look for leftovers, and fails when there are any.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
DEMO=target/demo
STATE=$DEMO/state
PID_FILE=$DEMO/serve.pid
EDGE=pontea-edge
# The consumers first.
STACKS=(pontea-web nocodb supabase "$EDGE")
# A volume goes only when it is named.
declare -A VOLUMES=(
    [nocodb]=nocodb_data [supabase]=supabase_db-data [pontea-web]='' [$EDGE]="${EDGE}_data ${EDGE}_config"
)
PROJECT_LABEL=com.docker.compose.project
HASH_LABEL=dev.mainstay.image-hash

section() { printf '\n== %s\n' "$*" >&2; }
say() { printf '%s\n' "$*" >&2; }
fail() { say "demo-down: $*"; exit 1; }

find_binary() {
    MAINSTAY=${MAINSTAY:-${CARGO_TARGET_DIR:-target}/release/mainstay}
    [ -x "$MAINSTAY" ] || fail "$MAINSTAY is not there: build it (cargo build --release -p mainstay), or set MAINSTAY"
}

# What a stack still has, one thing a line.
leftovers() {
    local filter=label=$PROJECT_LABEL=$1
    docker ps --all --filter "$filter" --format 'container {{.Names}}'
    docker network ls --filter "$filter" --format 'network {{.Name}}'
    docker volume ls --filter "$filter" --format 'volume {{.Name}}'
}

take_down() {
    local stack=$1 volume
    if [ -z "$(leftovers "$stack")" ]; then
        say "$stack: nothing is there"
        return
    fi
    find_binary
    local arguments=(--yes --stack "examples/pontea/$stack")
    # The edge is a stack that Mainstay wrote the file of.
    [ "$stack" != "$EDGE" ] || arguments=(--yes --stack "$EDGE")
    for volume in ${VOLUMES[$stack]}; do
        # Naming a volume that is not there any more would be a mistake, and this script can be run twice.
        if docker volume inspect "$volume" >/dev/null 2>&1; then arguments+=(--volume "$volume"); fi
    done
    "$MAINSTAY" --state-dir "$STATE" down "${arguments[@]}"
}

# By its command line: the number may have gone to another process, and one that has ended may not be reaped yet.
is_serve() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -q "$STATE"; }

stop_serve() {
    local pid
    pid=$(cat "$PID_FILE" 2>/dev/null) || true
    if [ -z "$pid" ] || ! is_serve "$pid"; then
        say 'it does not run'
        return 0
    fi
    kill -TERM "$pid"
    for _ in $(seq 100); do
        if ! is_serve "$pid"; then
            say "process $pid has ended"
            return 0
        fi
        sleep 0.1
    done
    fail "process $pid (mainstay serve) did not end within 10 s of being asked to"
}

# A certificate that was put among the trusted ones would outlive its authority.
distrust() {
    if [ ! -d "$STATE/edge" ]; then
        say 'there is no authority of the demo'
        return
    fi
    find_binary
    "$MAINSTAY" --state-dir "$STATE" edge trust --remove
}

# The tags that the demo's releases went by, as images that CI would have pushed.
remove_releases() {
    local tag
    for tag in 2 broken; do docker image rm "pontea-web:$tag" >/dev/null 2>&1 || true; done
    # And the names by which Mainstay kept the images of releases; their state folder goes too.
    local stack kept
    for stack in "${STACKS[@]}"; do
        for kept in $(docker images --filter "reference=mainstay/$stack/*" --format '{{.Repository}}:{{.Tag}}'); do
            docker image rm "$kept" >/dev/null 2>&1 || true
        done
    done
}

remove_images() {
    local tag name
    for tag in pontea-web:1 pontea-studio:local; do
        if docker image rm "$tag" >/dev/null 2>&1; then say "$tag removed"; fi
    done
    for name in postgres postgrest caddy nocodb node; do
        tag=$(awk -v name="$name" '$1 == name { print $5 }' images/IMAGES)
        docker image inspect "$tag" >/dev/null 2>&1 || continue
        if [ -z "$(docker image inspect -f "{{ index .Config.Labels \"$HASH_LABEL\" }}" "$tag" 2>/dev/null)" ]; then
            say "$tag stays: it was not built here"
        elif docker image rm "$tag" >/dev/null; then
            say "$tag removed"
        fi
    done
    if docker image rm mainstay-base:bookworm >/dev/null 2>&1; then say 'mainstay-base:bookworm removed'; fi
}

complain_about_leftovers() {
    local stack left=''
    for stack in "${STACKS[@]}"; do left+=$(leftovers "$stack")$'\n'; done
    left=$(grep -v '^$' <<<"$left" || true)
    [ -z "$left" ] || fail "this is left:
$left"
    say 'no container, network or volume of the demo is left'
}

main() {
    local images=no stack
    case "${1:-}" in
        '') ;;
        --images) images=yes ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument: $1 (there is only --images)" ;;
    esac
    docker version >/dev/null 2>&1 || fail 'no Docker engine answers: what the demo made cannot be looked at'

    section 'stacks'
    # The files do not read without their values; taking down needs no true ones.
    [ -e examples/pontea/supabase/.env ] || examples/pontea/make-env.sh
    for stack in "${STACKS[@]}"; do
        take_down "$stack"
    done

    section 'mainstay serve'
    stop_serve

    section 'trust'
    distrust
    remove_releases

    if [ "$images" = yes ]; then
        section 'images'
        remove_images
    fi

    section 'leftovers'
    complain_about_leftovers
    # Last: while something is left, the journal and the log say why.
    rm -rf "$DEMO"
}

main "$@"
