#!/usr/bin/env bash
# Requests a second through the edge that Mainstay configures, beside a Caddy whose few lines were written by hand: the
# same image, the same way of publishing ports, the same container behind both, in turns.
#
#   bench/edge.sh [--rounds N] [--seconds N] [--connections N]
#
# Over plain HTTP both lead to HTTPS, so there it is the redirect that is counted. MAINSTAY_BIN names the binary; else the
# release build is made.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -n "${MAINSTAY_BIN:-}" ] || { cargo build --release --locked -p mainstay && MAINSTAY_BIN=$PWD/target/release/mainstay; }
cargo build --quiet --release --locked -p mainstay-bench --bin mainstay-bench-edge
name=mainstay-bench-$$
root=$(mktemp -d)
export MAINSTAY_STATE_DIR=$root/state NO_COLOR=1
http=$((20000 + $$ % 10000)) https=$((30000 + $$ % 10000)) hand_http=$((40000 + $$ % 10000)) hand_https=$((50000 + $$ % 10000))

cleaned() {
    docker ps -aq --filter "name=$name-" | xargs -r docker rm -fv >/dev/null
    docker network ls -q --filter "name=$name-" | xargs -r docker network rm >/dev/null
    docker volume ls -q --filter "name=$name-" | xargs -r docker volume rm >/dev/null
    docker images --filter "reference=mainstay/$name-*/*" --format '{{.Repository}}:{{.Tag}}' | xargs -r docker rmi >/dev/null
    rm -rf "$root"
}
trap cleaned EXIT

mkdir -p "$root/web" "$root/hand"
# Quick, and keeps connections: the proxy is what is measured.
cat >"$root/web/compose.yaml" <<YAML
name: $name-web
services:
  web:
    image: caddy:2
    command: [caddy, respond, --listen, ':8080', --body, 'a page of a few words']
    x-mainstay:
      routes: [{ host: bench.localhost, port: 8080 }]
YAML
cat >"$root/hand/Caddyfile" <<CADDY
bench.localhost {
    tls internal
    reverse_proxy $name-web-web-1:8080
}
CADDY
"$MAINSTAY_BIN" edge up --name "$name-edge" --http-port "$http" --https-port "$https" 2>"$root/log" || { cat "$root/log" >&2; exit 1; }
"$MAINSTAY_BIN" --stack "$root/web" up --yes 2>"$root/log" || { cat "$root/log" >&2; exit 1; }
docker run --detach --name "$name-hand" --network "$name-web_default" --publish "$hand_http:80" --publish "$hand_https:443" \
    --volume "$root/hand/Caddyfile:/etc/caddy/Caddyfile:ro" caddy:2 >/dev/null
for port in "$https" "$hand_https"; do
    until curl -skf --noproxy '*' --resolve "bench.localhost:$port:127.0.0.1" -o /dev/null "https://bench.localhost:$port/"; do sleep 0.2; done
done
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)" >&2
target/release/mainstay-bench-edge --edge "$http,$https" --hand "$hand_http,$hand_https" --host bench.localhost "$@"
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)" >&2
