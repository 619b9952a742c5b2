#!/usr/bin/env bash
# What a release costs those who visit a site: Mainstay, beside `docker compose up -d` and beside doubling by hand (two
# containers for a moment, then the old one goes) behind a Caddy that is configured by hand. One run, the same visitors.
#
#   bench/release.sh [RELEASES] [OTHERS]
#
# By default 50 releases of Mainstay, every second one bad, and 10 good ones of each of the others.
#
# MAINSTAY_BIN names the binary; else the release build is made.
set -euo pipefail
cd "$(dirname "$0")/.."
releases=${1:-50} others=${2:-10}

[ -n "${MAINSTAY_BIN:-}" ] || { cargo build --release --locked -p mainstay && MAINSTAY_BIN=$PWD/target/release/mainstay; }
compose=$(scripts/compose-v2.sh)
name=mainstay-bench-$$
root=$(mktemp -d)
export MAINSTAY_STATE_DIR=$root/state NO_COLOR=1
http=$((20000 + $$ % 10000)) https=$((30000 + $$ % 10000)) byhand=$((40000 + $$ % 10000))

cleaned() {
    touch "$root/leave"
    wait || true
    docker ps -aq --filter "name=$name-" | xargs -r docker rm -fv >/dev/null
    docker network ls -q --filter "name=$name-" | xargs -r docker network rm >/dev/null
    docker volume ls -q --filter "name=$name-" | xargs -r docker volume rm >/dev/null
    rm -rf "$root"
}
trap cleaned EXIT

# One visitor: a line for each answer, "<seconds> <status>". A kept connection that was reset is tried once more.
visitor() {
    local kind=$1 port=$2 into=$3 url=https://shop.localhost:$2/
    [ "$kind" = fresh ] || url="$url?[1-40]"
    while [ ! -e "$root/leave" ]; do
        curl -sk --noproxy '*' --max-time 30 --rate 40/s --resolve "shop.localhost:$port:127.0.0.1" \
            -o /dev/null -w '%{http_code}\n' "$url" | while read -r status; do echo "$EPOCHREALTIME $status"; done
    done >"$into"
}

# Four visitors while a function runs so often; then one line of the table.
measured() {
    local title=$1 port=$2 count=$3 release=$4 began ended
    rm -f "$root"/leave "$root"/visitor.*
    for kind in fresh fresh kept kept; do
        visitor "$kind" "$port" "$(mktemp "$root/visitor.XXXXXX")" &
    done
    began=$EPOCHREALTIME
    for ((number = 1; number <= count; number++)); do "$release" "$number"; done
    ended=$EPOCHREALTIME
    touch "$root/leave"
    wait
    awk -v title="$title" -v count="$count" -v secs="$(awk "BEGIN { print $ended - $began }")" '
        FNR == 1 { last = $1 }
        $2 == 200 { good++; if ($1 - last > gap) gap = $1 - last; last = $1 }
        $2 != 200 { bad++ }
        END { printf "%-34s %8d %9d %7d %13.2f %12.1f\n", title, count, good, bad, gap, count * 60 / secs }
    ' "$root"/visitor.*
}

service() {
    cat <<YAML
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: { RELEASE: '$1' }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 500ms, retries: 20 }
YAML
}

mkdir -p "$root/shop" "$root/hand"
shop() {
    {
        echo "name: $name-shop"
        echo services:
        service "$1"
        # Every second one is bad, in turns: crashes, is never healthy, answers another status, is too slow.
        case ${2:-} in
            1) echo "    command: [sh, -c, 'exit 3']" ;;
            2) echo "    command: [sh, -c, 'BAD=1 exec /bin/serve']" ;;
            4) echo "    command: [sh, -c, 'DELAY=60 exec /bin/serve']" ;;
        esac
        echo "    x-mainstay:"
        echo "      routes: [{ host: shop.localhost, port: 8080 }]"
        echo "      rollout: { stable: 200ms, drain: 5s }"
        if [ "${2:-}" = 3 ]; then echo "      probe: { path: /nowhere, status: 200, within: 2s }"; fi
    } >"$root/shop/compose.yaml"
}
mainstay_release() {
    local bad='' expected=0
    if (($1 % 2 == 0)); then bad=$(($1 / 2 % 4 + 1)) expected=1; fi
    shop "$1" "$bad"
    local code=0
    "$MAINSTAY_BIN" --stack "$root/shop" up --yes >"$root/up.log" 2>&1 || code=$?
    [ "$code" = "$expected" ] || { cat "$root/up.log" >&2; echo "release $1 ended with $code" >&2; exit 1; }
}

hand() {
    {
        echo "name: $name-hand"
        echo services:
        service "$1"
        echo "  caddy: { image: 'caddy:2', ports: ['$byhand:443'], volumes: ['./Caddyfile:/etc/caddy/Caddyfile:ro'] }"
    } >"$root/hand/compose.yaml"
}
up() { "$compose" -p "$name-hand" -f "$root/hand/compose.yaml" up -d --quiet-pull "$@" >"$root/up.log" 2>&1 || { cat "$root/up.log" >&2; exit 1; }; }
compose_release() {
    hand "$1"
    up --wait web
}
doubling_release() {
    hand "doubled-$1"
    local old new
    old=$(docker ps -q --filter "label=com.docker.compose.project=$name-hand" --filter label=com.docker.compose.service=web)
    up --no-deps --scale web=2 --no-recreate --wait web
    # shellcheck disable=SC2086  # one id or several
    docker stop $old >/dev/null && docker rm $old >/dev/null
    new=$(docker ps -q --filter "label=com.docker.compose.project=$name-hand" --filter label=com.docker.compose.service=web)
    [ -n "$new" ]
}
cat >"$root/hand/Caddyfile" <<'CADDY'
shop.localhost {
    tls internal
    reverse_proxy {
        dynamic a {
            name web
            port 8080
            refresh 1s
        }
    }
}
CADDY

"$MAINSTAY_BIN" edge up --name "$name-edge" --http-port "$http" --https-port "$https" >/dev/null 2>&1
mainstay_release 1
hand 0
up --wait web
up caddy
until curl -skf --noproxy '*' --resolve "shop.localhost:$byhand:127.0.0.1" -o /dev/null "https://shop.localhost:$byhand/"; do sleep 0.2; done

printf '%-34s %8s %9s %7s %13s %12s\n' '' releases answered failed 'longest gap s' 'per minute'
measured 'mainstay up, every second one bad' "$https" "$releases" mainstay_release
measured 'docker compose up -d' "$byhand" "$others" compose_release
measured 'doubling by hand' "$byhand" "$others" doubling_release
