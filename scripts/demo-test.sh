#!/usr/bin/env bash
# Walks through the demo as its README tells a newcomer to, and checks each claim on the engine itself:
# three healthy stacks behind five addresses over HTTPS; a release that fails is seen by nobody, and told in one screen;
# promote and rollback; a lost attachment is back by the next request; nothing was restarted; the demo can be run twice;
# demo-down leaves nothing; and `--env prod-sim` is the whole of production on a laptop.
set -euo pipefail
cd "$(dirname "$0")/.."

consumer=nocodb-nocodb-1
network=supabase_default
certificate=target/demo/root.pem

say() { printf 'demo-test: %s\n' "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

# The usual ports where they are free, so that the addresses are those of the README to the letter.
choose_ports() {
  [ -z "${HTTPS_PORT:-}${HTTP_PORT:-}" ] || return 0
  local port
  for port in 80 443; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      say "port $port is taken: the edge gets 8081 and 8443"
      export HTTP_PORT=8081 HTTPS_PORT=8443
      return 0
    fi
  done
}

mainstay() { "${MAINSTAY:-target/release/mainstay}" --state-dir target/demo/state "$@"; }
on_web() { mainstay "$@" --stack pontea-web; }

started_at() { docker inspect --format '{{.State.StartedAt}}' "$1"; }
all_started_at() {
  local stack
  # `docker ps` wants all of its label filters at once, so the stacks are asked for one by one.
  for stack in supabase nocodb pontea-web pontea-edge; do
    docker ps --quiet --filter "label=com.docker.compose.project=$stack"
  done | sort | xargs docker inspect --format '{{.Name}} {{.State.StartedAt}}'
}

# Checked against the demo's own authority and nothing else.
visit() {
  local host=${*: -1}
  host=${host#https://}
  host=${host%%[:/]*}
  curl --silent --noproxy '*' --max-time 10 --cacert "$certificate" --resolve "$host:$port:127.0.0.1" "$@"
}
# NocoDB answers `/` without its database; this page needs it.
uses_database() { [ "$(visit --output /dev/null --write-out '%{http_code}' "https://nocodb.pontea.localhost$suffix/api/v1/db/meta/nocodb/info")" = 200 ]; }
resolves() { docker exec "$consumer" node -e 'require("dns").lookup("supabase-db", e => process.exit(e ? 1 : 0))'; }

expect() { # status address where-to
  local got
  got=$(visit --output /dev/null --write-out '%{http_code} %{redirect_url}' "https://$2" || true)
  [ "$got" = "$1 ${3:-}" ] || fail "https://$2 answered \`$got\`, not \`$1 ${3:-}\`"
  say "https://$2 answers $got"
}
release_that_serves() { visit "https://pontea.localhost$suffix/api/health/" | sed -n 's/.*"release":"\([^"]*\)".*/\1/p'; }
expect_release() {
  local got
  got=$(release_that_serves)
  [ "$got" = "$1" ] || fail "release \`$got\` serves, not \`$1\`"
  say "release $1 serves"
}

choose_ports
port=${HTTPS_PORT:-443}
suffix=:$port
[ "$port" != 443 ] || suffix=''
trap 'scripts/demo-down.sh || true' EXIT

say 'first run'
mkdir -p target
make demo 2>&1 | tee target/demo-test.log
for container in supabase-supabase-db-1 supabase-supabase-kong-1 supabase-supabase-studio-1 "$consumer" pontea-web-web-1; do
  health=$(docker inspect --format '{{.State.Health.Status}}' "$container")
  [ "$health" = healthy ] || fail "$container is $health"
done
expect 200 "pontea.localhost$suffix"
expect 302 "www.pontea.localhost$suffix" "https://pontea.localhost$suffix/"
expect 401 "supabase.pontea.localhost$suffix"
expect 307 "supabase-studio.pontea.localhost$suffix" "https://supabase-studio.pontea.localhost$suffix/project/default"
expect 302 "nocodb.pontea.localhost$suffix" "https://nocodb.pontea.localhost$suffix/dashboard"
expect 308 "pontea.localhost$suffix/api/x" "https://pontea.localhost$suffix/api/x/"
expect 200 "supabase-studio.pontea.localhost$suffix/project/default"
for stack in supabase nocodb pontea-web; do mainstay smoke --stack "$stack"; done

say 'the release that could not work'
releases=$(on_web releases --json)
grep -q '"undone"' <<<"$releases" || fail 'no release was taken back'
report=$(sed -n '/^\$ mainstay promote/,/^Meanwhile/p' target/demo-test.log)
grep -q 'missing.js' <<<"$report" || fail 'the report does not say what the container said'
grep -q 'taken back' <<<"$report" || fail 'the report does not say that the release was taken back'
grep -q ' 0 lost' <<<"$report" || fail 'somebody noticed'
lines=$(wc -l <<<"$report")
[ "$lines" -le 50 ] || fail "the report has $lines lines, and does not fit one screen"
expect_release 1

say 'promote and rollback'
on_web promote --tag 2 --yes
expect_release 2
on_web rollback --yes
expect_release 1
on_web releases

say 'the incident'
resolves || fail "$consumer does not resolve its database before the incident"
before=$(started_at "$consumer")
docker network disconnect "$network" "$consumer"
attempts=0
until resolves; do
  attempts=$((attempts + 1))
  [ "$attempts" -lt 20 ] || fail "$consumer does not resolve its database after the disconnect"
done
expect 302 "nocodb.pontea.localhost$suffix" "https://nocodb.pontea.localhost$suffix/dashboard"
uses_database || fail 'NocoDB does not reach its database after the disconnect'
[ "$(started_at "$consumer")" = "$before" ] || fail "$consumer was restarted"
history=$(mainstay history --json)
grep -q '"repair"' <<<"$history" || fail 'the history has no repair'
say "resolved again after $attempts failed lookups, StartedAt unchanged, the repair is in the history"

say 'second run'
before=$(all_started_at)
make demo
[ "$(all_started_at)" = "$before" ] || fail 'the second run restarted something'

say 'and down'
trap - EXIT
scripts/demo-down.sh

say 'the same as production on a laptop'
scripts/prod-sim-test.sh
say 'passed'
