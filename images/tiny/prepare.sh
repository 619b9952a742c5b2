#!/usr/bin/env bash
# Lays out the root file system of the tiny image: Debian's busybox and the few libraries it loads, nothing else.
set -euo pipefail

root=$1/rootfs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Not the static variant: glibc's name lookup loads libraries at run time, and without them names do not resolve.
(cd "$work" && { apt-get -q download busybox || { apt-get -q update && apt-get -q download busybox; }; } && dpkg -x busybox_*.deb x)
busybox=$(find "$work/x" -path '*/bin/busybox' -type f | head -n 1)

mkdir -p "$root"/{bin,etc,tmp,home,var/empty}
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
cp "$(command -v getent)" "$root/bin/getent"

# Libraries keep the path the loader looks for them under.
for file in "$root/bin/busybox" "$root/bin/getent"; do
    ldd "$file" | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
done

"$busybox" --list | while read -r applet; do
    [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
done

printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
