#!/usr/bin/env bash
# Makes sure that the tests of `--host ssh://…` find an ssh server (they start one of their own, on a port of its own) and a client.
# Safe to run again.
set -euo pipefail

say() { printf 'sshd: %s\n' "$*" >&2; }

if [ -x /usr/sbin/sshd ] && command -v ssh ssh-keygen script >/dev/null; then
    exit 0
fi
command -v apt-get >/dev/null || { say "install an OpenSSH server and client by hand"; exit 1; }
say "installing openssh-server"
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends openssh-server openssh-client bsdutils)
as_root "${install[@]}" >/dev/null 2>&1 || {
    as_root apt-get -qq update >&2
    as_root "${install[@]}" >/dev/null
}
