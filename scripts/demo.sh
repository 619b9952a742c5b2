#!/usr/bin/env bash
# Brings the three stacks of examples/pontea up with Mainstay, on this machine, and says what to try.
#
#   scripts/demo.sh         MAINSTAY names a binary to use instead of building one
#   HTTP_PORT=8081 HTTPS_PORT=8443 scripts/demo.sh      where another program has the ports 80 and 443
#
# Safe to run again: what is there stays, what is missing is made. scripts/demo-down.sh takes it away.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
DEMO=target/demo
STATE=$DEMO/state
LOG=$DEMO/serve.log
PID_FILE=$DEMO/serve.pid
PORTS_FILE=$DEMO/ports
# Of the authority that signs the demo's certificates.
ROOT_CERTIFICATE=$DEMO/root.pem
EDGE=pontea-edge
# In the order in which they need each other.
STACKS=(supabase nocodb pontea-web)

section() { printf '\n== %s\n' "$*" >&2; }
say() { printf '%s\n' "$*" >&2; }
fail() { say "demo: $*"; exit 1; }

find_binary() {
    if [ -n "${MAINSTAY:-}" ]; then
        [ -x "$MAINSTAY" ] || fail "MAINSTAY=$MAINSTAY is not a program"
        # As a path, because the hints at the end are typed into another shell.
        MAINSTAY=$(realpath "$MAINSTAY")
        say "$MAINSTAY"
        return
    fi
    command -v cargo >/dev/null || fail "cargo is not here: install Rust (https://rustup.rs), or set MAINSTAY"
    cargo build --release --locked -p mainstay
    MAINSTAY=${CARGO_TARGET_DIR:-target}/release/mainstay
}

# As asked for, else as the demo has them already, else the usual ones.
choose_ports() {
    local http=80 https=443
    if [ -s "$PORTS_FILE" ]; then read -r http https <"$PORTS_FILE"; fi
    HTTP_PORT=${HTTP_PORT:-$http}
    export HTTPS_PORT=${HTTPS_PORT:-$https}
    SUFFIX=''
    [ "$HTTPS_PORT" = 443 ] || SUFFIX=:$HTTPS_PORT
}

# A port that somebody else holds would fail late, as an error of the engine.
check_ports() {
    local port holder
    for port in "$HTTP_PORT" "$HTTPS_PORT"; do
        holder=$(docker ps --filter "publish=$port" --format '{{.Names}}' | head -n 1)
        [ "$holder" != "$EDGE-caddy-1" ] || continue
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            say "demo: port $port is taken by ${holder:+the container $holder}${holder:-another program}."
            say 'Free it (`ss -ltnp` tells who has it), or let the demo have other ports:'
            say ''
            say '  HTTP_PORT=8081 HTTPS_PORT=8443 make demo'
            exit 1
        fi
    done
}

serve_runs() {
    local pid
    pid=$(cat "$PID_FILE" 2>/dev/null) || return 1
    # The number may have gone to another process since.
    [ -S "$STATE/mainstay.sock" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "$STATE"
}

start_serve() {
    mkdir -p "$STATE"
    if serve_runs; then
        say "already running, process $(cat "$PID_FILE")"
        return
    fi
    # A session of its own: closing this terminal does not end it.
    setsid "$MAINSTAY" --state-dir "$ROOT/$STATE" serve >>"$LOG" 2>&1 </dev/null &
    local pid=$!
    echo "$pid" >"$PID_FILE"
    for _ in $(seq 75); do
        if serve_runs; then
            say "running, process $pid, log in $LOG"
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    say "mainstay serve does not answer; the end of $LOG:"
    tail -n 20 "$LOG" >&2
    exit 1
}

mainstay() { "$MAINSTAY" --state-dir "$STATE" "$@"; }

bring_edge_up() {
    mainstay edge up --yes --name "$EDGE" --http-port "$HTTP_PORT" --https-port "$HTTPS_PORT"
    echo "$HTTP_PORT $HTTPS_PORT" >"$PORTS_FILE"
}

# The name server need not know the names: all of `*.localhost` is this machine.
visit() {
    local host=${*: -1}
    host=${host#https://}
    host=${host%%[:/]*}
    curl --silent --noproxy '*' --max-time 10 --cacert "$ROOT_CERTIFICATE" --resolve "$host:$HTTPS_PORT:127.0.0.1" "$@"
}

# A service may need a moment between "healthy" and its first answer, so an unexpected one is asked again.
check() { # expected path-or-host note curl-arguments…
    local expected=$1 url=https://$2 note=$3 answer status leads_to verdict=ok
    shift 3
    for _ in $(seq 30); do
        answer=$(visit --output /dev/null --write-out '%{http_code} %{redirect_url}' "$@" "$url" || true)
        status=${answer%% *} leads_to=${answer#* }
        [ "$status" != "$expected" ] || break
        sleep 0.5
    done
    if [ "$status" != "$expected" ]; then
        verdict="WRONG, not $expected"
        FAILED=$((FAILED + 1))
    fi
    printf '%-4s %-3s %-52s %s%s\n' "$status" "$verdict" "$url" "$note" "${leads_to:+ ($leads_to)}"
}

check_addresses() {
    FAILED=0
    check 200 "pontea.localhost$SUFFIX" 'the app, with rows read from Supabase'
    check 302 "www.pontea.localhost$SUFFIX" 'to the name without www'
    check 401 "supabase.pontea.localhost$SUFFIX" 'the gateway wants a key: this is health'
    check 307 "supabase-studio.pontea.localhost$SUFFIX" 'to the project'
    check 302 "nocodb.pontea.localhost$SUFFIX" 'to the dashboard'
    check 308 "pontea.localhost$SUFFIX/api/x" 'to the same with a slash'
    [ "$FAILED" -eq 0 ] || fail "$FAILED of the addresses did not answer as they should"
}

# The classic builder is named only where there is no other: it is deprecated, but needs no plugin.
docker_build() {
    if docker buildx version >/dev/null 2>&1; then
        docker buildx build --load "$@"
    else
        DOCKER_BUILDKIT=0 docker build --force-rm "$@"
    fi
}

# What a registry would get from CI: a next release of the app, and one that cannot start.
make_images() {
    local tag line
    for tag in 2 broken; do
        line='ENV RELEASE=2'
        [ "$tag" = 2 ] || line='CMD ["node", "missing.js"]'
        printf 'FROM pontea-web:1\n%s\n' "$line" | docker_build --quiet --tag "pontea-web:$tag" - >"$DEMO/build.log" 2>&1 ||
            fail "pontea-web:$tag was not built: $(tail -n 3 "$DEMO/build.log")"
    done
}

# Visits the app until the file is gone, a new connection each time, and leaves the counts in its place.
count_visits() { # file
    local answered=0 lost=0
    while [ -e "$1" ]; do
        if visit --fail --output /dev/null "https://pontea.localhost$SUFFIX"; then
            answered=$((answered + 1))
        else
            lost=$((lost + 1))
        fi
    done
    echo "$answered $lost" >"$1.counts"
}

show_a_release_that_cannot_work() {
    local visiting=$DEMO/visiting code=0 answered lost
    touch "$visiting"
    count_visits "$visiting" &
    say "\$ mainstay promote --stack pontea-web --tag broken"
    mainstay promote --yes --stack examples/pontea/pontea-web --tag broken || code=$?
    rm -f "$visiting"
    wait $!
    read -r answered lost <"$visiting.counts"
    rm -f "$visiting.counts"
    [ "$code" = 1 ] || fail "the release should have failed with 1, and ended with $code"
    say ''
    say "Meanwhile https://pontea.localhost$SUFFIX was asked $((answered + lost)) times: $answered answers, $lost lost."
    [ "$lost" = 0 ] || fail 'visitors noticed the release that failed'
}

say_what_next() {
    local cli="${MAINSTAY#"$ROOT"/} --state-dir $STATE" curl="curl --cacert $ROOT_CERTIFICATE"
    cat >&2 <<END

== Everything stands. Go on from here, in this folder:

  alias mainstay='$cli'

A release, and back:
  mainstay promote --stack pontea-web --tag 2      # shows the plan, and proves it before it serves
  $curl https://pontea.localhost$SUFFIX/api/health/
  mainstay rollback --stack pontea-web
  mainstay releases --stack pontea-web             # the one that failed, too
  mainstay smoke --stack pontea-web                # what must be answered where

The incident: NocoDB loses Supabase's network, and with it its database
  docker network disconnect supabase_default nocodb-nocodb-1
  $curl https://nocodb.pontea.localhost$SUFFIX/api/v1/db/meta/nocodb/info
                                                   # answers with data; without Mainstay: ENOTFOUND
  mainstay history --limit 5                       # what happened, when, and why; nothing was restarted

In a browser: https://pontea.localhost$SUFFIX
  The certificates are signed by an authority that was made here. To trust it on this machine:
  sudo $cli edge trust
  (a browser with a store of its own, such as Firefox, wants $ROOT_CERTIFICATE imported)

The files:    examples/pontea (README.md there)
Away with it: make demo-down
END
}

main() {
    case "${1:-}" in
        '') ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument: $1" ;;
    esac
    command -v curl >/dev/null || fail "curl is not here: apt-get install curl"
    local stack stacks=()
    for stack in "${STACKS[@]}"; do stacks+=(--stack "examples/pontea/$stack"); done

    section 'Docker engine'
    scripts/engine.sh
    choose_ports
    check_ports

    section 'Mainstay'
    find_binary

    section 'images: pulled where a registry answers, else built here (minutes, once)'
    images/provide.sh postgres postgrest caddy nocodb node

    section 'secrets, made on this machine'
    examples/pontea/make-env.sh
    say 'in the .env of each stack, which git ignores'

    section 'mainstay serve, in the background'
    start_serve

    section 'mainstay edge up'
    bring_edge_up

    section "mainstay up ${STACKS[*]}"
    mainstay up --yes "${stacks[@]}"
    mainstay edge certificate >"$ROOT_CERTIFICATE"

    for stack in "${STACKS[@]}"; do
        section "mainstay ps, $stack"
        mainstay ps --stack "examples/pontea/$stack"
    done

    section 'the addresses, and what they answer'
    check_addresses

    section 'a release that cannot work, seen by nobody'
    make_images
    show_a_release_that_cannot_work
    say_what_next
}

main "$@"
