#!/usr/bin/env bash
# Walks through the demo as its README tells a newcomer to, and checks each claim on the engine itself:
# three healthy stacks; a lost attachment is back by the next request; nothing was restarted; the history tells it;
# the demo can be run twice; demo-down leaves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

consumer=nocodb-nocodb-1
network=supabase_default

say() { printf 'demo-test: %s\n' "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

started_at() { docker inspect --format '{{.State.StartedAt}}' "$1"; }
all_started_at() {
  docker ps --quiet --filter label=com.docker.compose.project=supabase \
    --filter label=com.docker.compose.project=nocodb --filter label=com.docker.compose.project=pontea-web \
    | sort | xargs -r docker inspect --format '{{.Name}} {{.State.StartedAt}}'
}
status() { curl --silent --output /dev/null --max-time 10 --write-out '%{http_code}' "$1" || true; }
resolves() { docker exec "$consumer" node -e 'require("dns").lookup("supabase-db", e => process.exit(e ? 1 : 0))'; }

expect_status() {
  local got
  got=$(status "$1")
  [ "$got" = "$2" ] || fail "$1 answered $got, not $2"
  say "$1 answers $2"
}

trap 'scripts/demo-down.sh || true' EXIT

say 'first run'
make demo
for container in supabase-supabase-db-1 supabase-supabase-kong-1 "$consumer" pontea-web-web-1; do
  health=$(docker inspect --format '{{.State.Health.Status}}' "$container")
  [ "$health" = healthy ] || fail "$container is $health"
done
expect_status http://127.0.0.1:8000/rest/v1/ 401
expect_status http://127.0.0.1:8080/ 302
expect_status http://127.0.0.1:3000/ 200
expect_status http://127.0.0.1:3000/api/health 308
expect_status http://127.0.0.1:3000/api/health/ 200

say 'the incident'
resolves || fail "$consumer does not resolve its database before the incident"
before=$(started_at "$consumer")
docker network disconnect "$network" "$consumer"
expect_status http://127.0.0.1:8080/ 302
attempts=0
until resolves; do
  attempts=$((attempts + 1))
  [ "$attempts" -lt 20 ] || fail "$consumer does not resolve its database after the disconnect"
done
[ "$(started_at "$consumer")" = "$before" ] || fail "$consumer was restarted"
history=$(target/release/mainstay --state-dir target/demo/state history --json)
grep -q '"repair"' <<<"$history" || fail 'the history has no repair'
say "resolved again after $attempts failed lookups, StartedAt unchanged, the repair is in the history"

say 'second run'
before=$(all_started_at)
make demo
[ "$(all_started_at)" = "$before" ] || fail 'the second run restarted something'

say 'and down'
trap - EXIT
scripts/demo-down.sh
say 'passed'
