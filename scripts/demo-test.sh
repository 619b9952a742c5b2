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
  local stack
  # `docker ps` wants all of its label filters at once, so the stacks are asked for one by one.
  for stack in supabase nocodb pontea-web; do
    docker ps --quiet --filter "label=com.docker.compose.project=$stack"
  done | sort | xargs docker inspect --format '{{.Name}} {{.State.StartedAt}}'
}
status() { curl --silent --output /dev/null --max-time 10 --write-out '%{http_code}' "$1" || true; }
# NocoDB answers `/` without its database; this page needs it.
uses_database() { [ "$(status http://127.0.0.1:8080/api/v1/db/meta/nocodb/info)" = 200 ]; }
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
attempts=0
until resolves; do
  attempts=$((attempts + 1))
  [ "$attempts" -lt 20 ] || fail "$consumer does not resolve its database after the disconnect"
done
expect_status http://127.0.0.1:8080/ 302
uses_database || fail 'NocoDB does not reach its database after the disconnect'
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
