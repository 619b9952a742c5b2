#!/usr/bin/env bash
# Sees to it that images are there, under their public names: pulls them where a registry answers, else builds the
# same software under the same names with build.sh.
#
#   images/provide.sh NAME…         the names of build.sh --list
#   PROVIDE=build images/provide.sh NAME…   builds without asking any registry
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# How long a registry may be silent. A pull that has begun may take as long as it takes.
SILENCE_SECONDS=15

say() { printf 'images: %s\n' "$*" >&2; }
present() { docker image inspect "$1" >/dev/null 2>&1; }
built_here() { [ -n "$(docker image inspect -f '{{ index .Config.Labels "dev.mainstay.image-hash" }}' "$1" 2>/dev/null)" ]; }

# 0: pulled. 1: the registry answered, and does not give this image. 2: no registry answers.
pull() {
    local tag=$1 log pid waited=0
    log=$(mktemp)
    docker pull "$tag" >"$log" 2>&1 &
    pid=$!
    # The engine names the image once the registry has answered; before that it prints nothing.
    while kill -0 "$pid" 2>/dev/null && ! grep -q 'Pulling from' "$log"; do
        if [ "$waited" -ge $((SILENCE_SECONDS * 5)) ]; then
            kill "$pid" 2>/dev/null || true
            wait "$pid" 2>/dev/null || true
            rm -f "$log"
            return 2
        fi
        sleep 0.2
        waited=$((waited + 1))
    done
    ! kill -0 "$pid" 2>/dev/null || say "$tag: pulling"

    local result=0
    wait "$pid" || result=2
    # These are answers; anything else (no name, no route, a refused or untrusted connection) is the lack of one.
    if [ "$result" -ne 0 ] && grep -Eqi 'not found|manifest unknown|denied|no matching manifest|toomanyrequests' "$log"; then
        result=1
    fi
    [ "$result" -eq 0 ] || say "$tag: not pulled: $(tail -n 1 "$log")"
    rm -f "$log"
    return "$result"
}

main() {
    local registry=yes name known tag result need
    local to_build=()
    [ $# -gt 0 ] || { say "which? $("$HERE/build.sh" --list | awk '{ print $1 }' | uniq | paste -sd' ')"; exit 2; }
    docker version >/dev/null 2>&1 || { say "no Docker engine answers: run scripts/engine.sh first"; exit 1; }
    [ "${PROVIDE:-}" != build ] || registry=no

    for name; do
        need=no known=no
        while read -r tag; do
            known=yes
            if present "$tag"; then
                # One that was built here may be outdated, which build.sh knows.
                if built_here "$tag"; then need=yes; else say "$name: $tag is there"; fi
                continue
            fi
            result=2
            if [ "$registry" = yes ]; then
                result=0
                pull "$tag" || result=$?
                if [ "$result" -eq 2 ]; then
                    say "no registry answers: building instead"
                    registry=no
                fi
            fi
            [ "$result" -eq 0 ] || need=yes
        done < <(awk -v name="$name" '!/^[[:space:]]*#/ && $1 == name { print $5 }' "$HERE/IMAGES")
        [ "$known" = yes ] || { say "no image is called $name"; exit 2; }
        [ "$need" = no ] || to_build+=("$name")
    done
    [ ${#to_build[@]} -eq 0 ] || "$HERE/build.sh" "${to_build[@]}"
}

main "$@"
