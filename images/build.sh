#!/usr/bin/env bash
# Builds the images that the tests and the demo run, on this machine, from Debian and npm packages.
#
#   images/build.sh                 every image of the default set
#   images/build.sh NAME…           only these
#   images/build.sh --force NAME…   also when the image is already there and unchanged
#   images/build.sh --list          the names, their tags, and whether each is there
#
# An image carries the hash of what it was made from as a label; one whose hash still holds is not built again.
# Each folder has a Dockerfile, and may have a prepare.sh that fetches on the host what the Dockerfile copies.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Downloads, logs and the lock; safe to delete.
CACHE=$(realpath -m "${MAINSTAY_IMAGES_CACHE:-$HERE/../target/images}")
TABLE=$HERE/IMAGES
BASE_TAG=mainstay-base:bookworm
HASH_LABEL=dev.mainstay.image-hash
# Part of every hash: raise it when a change to this script changes what comes out of it.
RECIPE=1

say() { printf 'images: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

rows() { grep -Ev '^[[:space:]]*(#|$)' "$TABLE"; }
names() { rows | awk '{ print $1 }' | uniq; }
default_names() { rows | awk '$4 == "default" { print $1 }' | uniq; }

# One hash over the names, modes and contents of a folder's files.
# shellcheck disable=SC2016 # expanded by the inner shell
folder_hash() {
    (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z \
        | xargs -0 sh -c 'for f; do stat -c "%A %n" "$f"; sha256sum <"$f"; done' sh) | sha256sum | cut -c1-64
}

# The base is part of the hash of what stands on it.
wanted_hash() { # folder base row
    { printf '%s\n%s\n' "$RECIPE" "$3"; folder_hash "$HERE/$1"; [ "$2" = no ] || base_hash; } | sha256sum | cut -c1-64
}
base_hash() { { printf '%s\n' "$RECIPE"; folder_hash "$HERE/base"; } | sha256sum | cut -c1-64; }

# Prints nothing when the tag is absent or was not made here.
present_hash() { docker image inspect -f "{{ index .Config.Labels \"$HASH_LABEL\" }}" "$1" 2>/dev/null || true; }

# Runs a step with its output in a log; prints one line with its seconds, and the log's end when it fails.
step() { # title log command…
    local title=$1 log=$2 started=$SECONDS
    shift 2
    if "$@" >>"$log" 2>&1; then
        say "$title ($((SECONDS - started)) s)"
    else
        say "$title FAILED after $((SECONDS - started)) s; the end of $log:"
        tail -n 25 "$log" >&2
        return 1
    fi
}

docker_build() {
    # The classic builder is named only where there is no other: it is deprecated, but needs no plugin.
    if docker buildx version >/dev/null 2>&1; then
        docker buildx build --load "$@"
    else
        DOCKER_BUILDKIT=0 docker build --force-rm "$@"
    fi
}

build_base() {
    local hash log=$CACHE/log/base.log
    hash=$(base_hash)
    if [ "$(present_hash "$BASE_TAG")" = "$hash" ]; then return 0; fi
    : >"$log"
    step "base: debootstrap → $BASE_TAG" "$log" "$HERE/base/make.sh" "$BASE_TAG" "LABEL $HASH_LABEL=$hash"
}

build_row() { # name folder base set tag build-arguments…
    local row="$*" name=$1 folder=$2 base=$3 tag=$5 hash context log arg
    shift 5
    [ "$base" = no ] || build_base
    hash=$(wanted_hash "$folder" "$base" "$row")
    if [ "$FORCE" = no ] && [ "$(present_hash "$tag")" = "$hash" ]; then
        say "$name: $tag is there"
        return 0
    fi

    log=$CACHE/log/${tag//[\/:]/_}.log
    : >"$log"
    context=$CONTEXTS/${tag//[\/:]/_}
    mkdir -p "$context"
    cp -a "$HERE/$folder/." "$context/"
    if [ -x "$HERE/$folder/prepare.sh" ]; then
        step "$name: fetching" "$log" env CACHE="$CACHE" "$HERE/$folder/prepare.sh" "$context" || return 1
    fi
    local arguments=() former
    former=$(docker image inspect -f '{{.Id}}' "$tag" 2>/dev/null || true)
    for arg; do arguments+=(--build-arg "$arg"); done
    step "$name: $tag" "$log" docker_build -q "${arguments[@]}" --label "$HASH_LABEL=$hash" -t "$tag" "$context"
    rm -rf "$context"
    # Only what this script made, and only when no tag and no container uses it any more.
    if [ -n "$former" ] && [ -n "$(present_hash "$former")" ] \
        && [ "$(docker image inspect -f '{{len .RepoTags}}' "$former" 2>/dev/null)" = 0 ]; then
        docker image rm "$former" >/dev/null 2>&1 || true
    fi
}

build() {
    local name
    for name; do
        while read -r -a row; do
            build_row "${row[@]}" </dev/null
        done < <(rows | awk -v name="$name" '$1 == name')
    done
}

list() {
    local name folder base set tag rest state
    while read -r name folder base set tag rest; do
        state=$(present_hash "$tag")
        if [ -z "$state" ]; then
            state=absent
            ! docker image inspect "$tag" >/dev/null 2>&1 || state="there, not built here"
        elif [ "$state" = "$(wanted_hash "$folder" "$base" "$name $folder $base $set $tag${rest:+ $rest}")" ]; then
            state=there
        else
            state=outdated
        fi
        printf '%-12s %-8s %-30s %s\n' "$name" "$set" "$tag" "$state"
    done < <(rows)
}

main() {
    FORCE=no
    local wanted=() name
    for name; do
        case "$name" in
            --force) FORCE=yes ;;
            --list) list; exit 0 ;;
            -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
            -*) fail "unknown flag: $name" ;;
            *)
                names | grep -qxF -- "$name" || fail "no image is called $name; there are: $(names | paste -sd' ')"
                wanted+=("$name")
                ;;
        esac
    done
    docker version >/dev/null 2>&1 || fail "no Docker engine answers: run scripts/engine.sh first"
    mkdir -p "$CACHE/log"

    # Two builds at once would do the same work twice and trip over each other's downloads.
    exec 9>"$CACHE/lock"
    flock -n 9 || { say "waiting for another build"; flock 9; }
    # Beside the downloads, so that a context can hold hard links to them instead of copies.
    CONTEXTS=$(mktemp -d "$CACHE/context.XXXXXX")
    trap 'rm -rf "$CONTEXTS"' EXIT

    if [ ${#wanted[@]} -eq 0 ]; then mapfile -t wanted < <(default_names); fi
    build "${wanted[@]}"
}

main "$@"
