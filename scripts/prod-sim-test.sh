#!/usr/bin/env bash
# `--env prod-sim` of examples/pontea, as its README tells it: the production definition on a laptop, under names of its own,
# with secrets to be thrown away, behind an edge with its own authority; and nothing is left of it.
#
#   MAINSTAY names the binary; else that of the demo is taken.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'prod-sim-test: %s\n' "$*" >&2; }
fail() { say "FAILED: $*"; exit 1; }

MAINSTAY=$(realpath "${MAINSTAY:-target/release/mainstay}")
work=$(mktemp -d)
edge=prod-sim-test-edge http=18081 port=18443
certificate=$work/root.pem
stacks=(supabase nocodb pontea-web)
# A copy: its secrets are not those that somebody may have made in the example.
cp -r examples/pontea "$work/pontea"
rm -f "$work"/pontea/*/.env "$work"/pontea/*/.env.prod-sim
mainstay() { "$MAINSTAY" --state-dir "$work/state" --env prod-sim "$@"; }

taken_away() {
  local stack
  for stack in pontea-web nocodb supabase; do
    mainstay down --yes --stack "$stack-prod-sim" >/dev/null 2>&1 || true
  done
  "$MAINSTAY" --state-dir "$work/state" edge down --yes >/dev/null 2>&1 || true
  docker volume rm supabase-prod-sim_db-data nocodb-prod-sim_data "${edge}_data" "${edge}_config" >/dev/null 2>&1 || true
  docker images --filter 'reference=mainstay/*-prod-sim/*' --format '{{.Repository}}:{{.Tag}}' | xargs -r docker rmi >/dev/null || true
  rm -rf "$work"
}
trap taken_away EXIT

visit() {
  local host=${*: -1}
  host=${host#https://}
  host=${host%%[:/]*}
  curl --silent --noproxy '*' --max-time 10 --cacert "$certificate" --resolve "$host:$port:127.0.0.1" "$@"
}
expect() { # status address where-to
  local got
  got=$(visit --output /dev/null --write-out '%{http_code} %{redirect_url}' "https://$2" || true)
  [ "$got" = "$1 ${3:-}" ] || fail "https://$2 answered \`$got\`, not \`$1 ${3:-}\`"
  say "https://$2 answers $got"
}

say 'secrets to be thrown away'
HTTPS_PORT=$port "$work/pontea/make-env.sh" prod-sim
[ ! -e "$work/pontea/supabase/.env" ] || fail 'production got secrets, too'
[ "$(stat -c %a "$work/pontea/supabase/.env.prod-sim")" = 600 ] || fail 'the secrets are not for their owner alone'

say 'the edge, and the three stacks in one command'
"$MAINSTAY" --state-dir "$work/state" edge up --yes --name "$edge" --http-port "$http" --https-port "$port"
(cd "$work/pontea" && mainstay up --yes --stack nocodb --stack pontea-web --stack supabase)
"$MAINSTAY" --state-dir "$work/state" edge certificate >"$certificate"

say 'every address answers as production does'
expect 200 "pontea.localhost:$port"
expect 302 "www.pontea.localhost:$port" "https://pontea.localhost:$port/"
expect 401 "supabase.pontea.localhost:$port"
expect 307 "supabase-studio.pontea.localhost:$port" "https://supabase-studio.pontea.localhost:$port/project/default"
expect 302 "nocodb.pontea.localhost:$port" "https://nocodb.pontea.localhost:$port/dashboard"
expect 308 "pontea.localhost:$port/api/x" "https://pontea.localhost:$port/api/x/"
for stack in "${stacks[@]}"; do (cd "$work/pontea" && mainstay smoke --stack "$stack"); done

say 'nothing but the edge has a port of the host'
for stack in "${stacks[@]}"; do
  published=$(docker ps --filter "label=com.docker.compose.project=$stack-prod-sim" --format '{{.Ports}}' | grep -c -- '->' || true)
  [ "$published" = 0 ] || fail "$stack publishes a port"
done

trap - EXIT
taken_away
for stack in "${stacks[@]/%/-prod-sim}" "$edge"; do
  filter=label=com.docker.compose.project=$stack
  left=$(docker ps --all --quiet --filter "$filter" && docker volume ls --quiet --filter "$filter" && docker network ls --quiet --filter "$filter")
  [ -z "$left" ] || fail "something of $stack is left: $left"
done
say 'passed'
