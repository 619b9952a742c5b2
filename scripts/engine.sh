#!/usr/bin/env bash
# Makes sure that a Docker engine answers on this machine.
#
#   scripts/engine.sh           use the engine that answers, else install and start Debian's
#   scripts/engine.sh --check   only report: 0 when an engine answers, 1 when none does
#
# Safe to run again: an engine that answers is left alone.
set -euo pipefail

LOG=/var/log/dockerd.log
WAIT_SECONDS=60

say() { printf 'engine: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Prints "<engine version> (API <version>)"; fails when nothing answers. The timeout is for an engine that accepts
# the connection and then says nothing.
engine_version() {
    command -v docker >/dev/null || return 1
    timeout 10 docker version --format '{{.Server.Version}} (API {{.Server.APIVersion}})' 2>/dev/null
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

require_debian_root() {
    command -v apt-get >/dev/null || fail "no engine answers, and this is not Debian or Ubuntu: install Docker by hand"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || fail "no engine answers; run this as root to install one"
}

install_engine() {
    ! command -v dockerd >/dev/null || return 0
    say "installing docker.io"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends docker.io iptables)
    # The package lists may be missing or old: the first failure is a reason to fetch them, not to give up.
    as_root "${apt[@]}" >/dev/null 2>&1 || {
        as_root apt-get -qq update >&2
        as_root "${apt[@]}" >/dev/null
    }
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        say "starting the docker service"
        as_root systemctl enable --now docker >&2
        return
    fi
    # Without an init system nothing reaps the files of an engine that was killed, and a stale pid file whose number
    # has been given to another process keeps dockerd from starting.
    if ! pgrep -x dockerd >/dev/null; then
        as_root rm -f /var/run/docker.pid /run/docker/containerd/containerd.pid
        say "starting dockerd in the background, log in $LOG"
        as_root sh -c "setsid nohup dockerd >>'$LOG' 2>&1 </dev/null &"
    fi
}

show_log() {
    if [ -d /run/systemd/system ]; then
        as_root journalctl -u docker -n 20 --no-pager >&2 || true
    else
        as_root tail -n 20 "$LOG" >&2 || true
    fi
}

wait_for_engine() {
    local deadline=$((SECONDS + WAIT_SECONDS)) version
    while [ "$SECONDS" -lt "$deadline" ]; do
        if version=$(engine_version); then
            say "engine $version is up"
            return 0
        fi
        sleep 0.3
    done
    say "the engine did not answer within ${WAIT_SECONDS}s; the end of its log:"
    show_log
    # Answering to root only is a different problem, with a different remedy.
    if [ "$(id -u)" -ne 0 ] && as_root docker version >/dev/null 2>&1; then
        say "it answers to root: add yourself to the group (usermod -aG docker $(id -un)) and log in again"
    fi
    return 1
}

main() {
    local check=no version
    case "${1:-}" in
        '') ;;
        --check) check=yes ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument: $1 (there is only --check)" ;;
    esac

    if version=$(engine_version); then
        say "engine $version answers"
        exit 0
    fi
    [ "$check" = no ] || fail "no engine answers"

    require_debian_root
    install_engine
    start_engine
    wait_for_engine
}

main "$@"
