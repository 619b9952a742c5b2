#!/usr/bin/env bash
# Fetches Docker Compose v2 from Debian, without installing it, and prints where it is.
#
#   compose=$(scripts/compose-v2.sh) && "$compose" -f compose.yaml up -d
#
# The program lands in target/tools/docker-compose; when it is there already, nothing is fetched. COMPOSE_V2 names
# another one to use. Conformance tests and benchmarks compare with it; Mainstay itself does not need it.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=$(realpath -m "$HERE/../target/tools")
PROGRAM=$TOOLS/docker-compose
TRIED=$TOOLS/docker-compose.tried
# The version whose reading of files Mainstay follows, and where it may be. Debian keeps only a release's current
# version, so it may be in none; then trixie's stands in, the oldest that is a version 2.
WANTED=2.40
SUITES=(forky sid)
FALLBACK=trixie
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

say() { printf 'compose-v2: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

works() { "$1" version --short >/dev/null 2>&1; }

# An apt with its own sources, lists and cache: the system's configuration is neither read nor changed.
own_apt() {
    apt-get -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Languages=none -o Acquire::Retries=3 \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

is_wanted() { [[ $("$1" version --short 2>/dev/null) = "$WANTED".* ]]; }

# Points our apt at one release and says which version it has there.
version_in() {
    echo "deb [signed-by=$keyring] $MIRROR $1 main" >"$work/sources.list"
    own_apt update >"$work/log" 2>&1 || return 1
    own_apt download --print-uris docker-compose 2>>"$work/log" | sed -n "s/^[^ ]* docker-compose_\([^_]*\)_.*/\1/p"
}

unpack() {
    (
        cd "$work"
        own_apt download docker-compose >>log 2>&1 || { tail -n 15 log >&2; exit 1; }
        dpkg -x docker-compose_*.deb unpacked
    )
}

fetch() {
    command -v apt-get >/dev/null || fail "this needs Debian or Ubuntu; elsewhere set COMPOSE_V2 to a docker-compose program"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$keyring" ] || fail "$keyring is missing: apt-get install debian-archive-keyring"
    mkdir -p "$TOOLS"
    work=$(mktemp -d "$TOOLS/compose.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work"/{lists/partial,cache/archives/partial}

    local suite version found=
    for suite in "${SUITES[@]}" "$FALLBACK"; do
        version=$(version_in "$suite") || continue
        if [[ $version = "$WANTED".* || $suite = "$FALLBACK" ]]; then
            say "fetching docker-compose ${version:-of unknown version} from Debian $suite"
            unpack && found=yes && break
        fi
    done
    touch "$TRIED"
    [ -n "$found" ] || fail "could not fetch it"
    # Moved into place when whole: another run may be waiting for the file to appear.
    mv "$work/unpacked/usr/libexec/docker/cli-plugins/docker-compose" "$PROGRAM"
}

# Whether the wanted version was looked for today.
tried_lately() { [ -n "$(find "$TRIED" -mtime -1 2>/dev/null)" ]; }

main() {
    local program=${COMPOSE_V2:-$PROGRAM}
    if [ -n "${COMPOSE_V2:-}" ]; then
        works "$program" || fail "COMPOSE_V2=$COMPOSE_V2 does not run"
    elif ! works "$program"; then
        fetch
        works "$program" || fail "$program does not run"
    elif ! is_wanted "$program" && ! tried_lately; then
        (fetch) || say "the version at hand stays"
    fi
    say "version $("$program" version --short)"
    printf '%s\n' "$program"
}

main "$@"
