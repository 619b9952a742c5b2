#!/usr/bin/env bash
# Brings the three stacks of examples/pontea up with Mainstay, on this machine, and says what to try.
#
#   scripts/demo.sh         MAINSTAY names a binary to use instead of building one
#
# Safe to run again: what is there stays, what is missing is made. scripts/demo-down.sh takes it away.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
DEMO=target/demo
STATE=$DEMO/state
LOG=$DEMO/serve.log
PID_FILE=$DEMO/serve.pid
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
        return
    fi
    command -v cargo >/dev/null || fail "cargo is not here: install Rust (https://rustup.rs), or set MAINSTAY"
    cargo build --release --locked -p mainstay
    MAINSTAY=${CARGO_TARGET_DIR:-target}/release/mainstay
}

# A port that somebody else holds would fail late, as an error of the engine.
check_ports() {
    local port owner
    for port in 8000 8080 3000; do
        owner=$(docker ps --filter "publish=$port" --format '{{.Label "com.docker.compose.project"}}' | head -n 1)
        case " ${STACKS[*]} " in *" ${owner:-none} "*) continue ;; esac
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            fail "port $port on 127.0.0.1 is taken${owner:+ by the Compose project $owner}: free it first"
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

# Prints the status, 000 when nothing answers.
status_of() { curl -s -m 5 -o /dev/null -w '%{http_code}' "$@" || true; }

# A service may need a moment between "healthy" and its first answer, so an unexpected one is asked again.
check() { # expected url note curl-arguments…
    local expected=$1 url=$2 note=$3 actual verdict=ok
    shift 3
    for _ in $(seq 30); do
        actual=$(status_of "$@" "$url")
        [ "$actual" != "$expected" ] || break
        sleep 0.5
    done
    if [ "$actual" != "$expected" ]; then
        verdict=WRONG
        FAILED=$((FAILED + 1))
    fi
    printf '%-6s %-8s %-5s %-58s %s\n' "$expected" "$actual" "$verdict" "$url" "$note"
}

check_addresses() {
    FAILED=0
    printf '%-6s %-8s %-5s %-58s %s\n' wanted answered '' address ''
    check 200 http://127.0.0.1:3000/ 'the app, with rows read from Supabase'
    check 200 http://127.0.0.1:3000/api/health/ 'the health of the app alone'
    check 308 http://127.0.0.1:3000/api/x 'to the same with a slash'
    check 302 http://127.0.0.1:8080/ 'NocoDB, to its dashboard'
    check 200 http://127.0.0.1:8080/api/v1/db/meta/nocodb/info 'NocoDB, with its database'
    check 401 http://127.0.0.1:8000/ 'the gateway wants a key: this is health'
    # The key goes through a file: arguments can be read by everybody on the machine.
    (umask 077 && sed -n 's/^ANON_KEY=/apikey: /p' examples/pontea/supabase/.env >"$DEMO/key")
    check 200 http://127.0.0.1:8000/rest/v1/companies 'the gateway, with a key' -H "@$DEMO/key"
    rm -f "$DEMO/key"
    [ "$FAILED" -eq 0 ] || fail "$FAILED of the addresses did not answer as they should"
}

say_what_next() {
    local cli="${MAINSTAY#"$ROOT"/} --state-dir $STATE"
    cat >&2 <<END

== Everything stands. Now break it:

  docker inspect -f '{{.State.StartedAt}}' nocodb-nocodb-1
  docker network disconnect supabase_default nocodb-nocodb-1     # the incident: NocoDB cannot resolve its database
  curl -s http://127.0.0.1:8080/api/v1/db/meta/nocodb/info       # answers with data; without Mainstay: ENOTFOUND
  curl -sI http://127.0.0.1:8080/                                # 302 to /dashboard
  docker inspect -f '{{.State.StartedAt}}' nocodb-nocodb-1       # the same as before: nothing was restarted
  $cli history                 # what happened, when, and why

  In a browser: http://127.0.0.1:3000 (the app), http://127.0.0.1:8080 (NocoDB)
  The files:    examples/pontea (README.md there)
  Away with it: scripts/demo-down.sh
END
}

main() {
    case "${1:-}" in
        '') ;;
        -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument: $1" ;;
    esac
    command -v curl >/dev/null || fail "curl is not here: apt-get install curl"
    local stack stacks=()
    for stack in "${STACKS[@]}"; do stacks+=(--stack "examples/pontea/$stack"); done

    section 'Docker engine'
    scripts/engine.sh
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

    section "mainstay up ${STACKS[*]}"
    mainstay up --yes "${stacks[@]}"

    for stack in "${STACKS[@]}"; do
        section "mainstay ps, $stack"
        mainstay ps --stack "examples/pontea/$stack"
    done

    section 'the addresses'
    check_addresses
    say_what_next
}

main "$@"
