#!/usr/bin/env bash
# Makes the image that the others stand on: a minimal Debian bookworm, without documentation and package lists.
#   make.sh TAG DOCKERFILE-CHANGE…      DEBIAN_MIRROR names another mirror
set -euo pipefail

tag=$1
shift
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
SECURITY=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
SUITE=bookworm

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
root=$(mktemp -d)
trap 'as_root rm -rf "$root"' EXIT

# The keyring is not there on Ubuntu.
if ! command -v debootstrap >/dev/null || [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends debootstrap debian-archive-keyring)
    as_root "${install[@]}" || { as_root apt-get -qq update && as_root "${install[@]}"; }
fi

as_root debootstrap --variant=minbase --include=ca-certificates \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$SUITE" "$root" "$MIRROR"

# shellcheck disable=SC2016 # expanded by the inner shell
as_root sh -eu -c '
    cd "$1"
    rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/*.log var/log/apt/* tmp/*
    rm -rf usr/share/doc/* usr/share/man/* usr/share/info/*
    # localedef reads this one file out of the locales.
    find usr/share/locale -mindepth 1 ! -name locale.alias -delete
    # Some packages link manual pages when they are installed, and fail when the folders are not there.
    for n in 1 2 3 4 5 6 7 8; do mkdir -p "usr/share/man/man$n"; done

    cat >etc/dpkg/dpkg.cfg.d/slim <<-END
	path-exclude /usr/share/doc/*
	path-exclude /usr/share/man/*
	path-exclude /usr/share/info/*
	path-exclude /usr/share/locale/*
	path-include /usr/share/locale/locale.alias
	END
    cat >etc/apt/apt.conf.d/90slim <<-END
	APT::Install-Recommends "false";
	Acquire::Languages "none";
	Acquire::Retries "3";
	END
    cat >etc/apt/sources.list <<-END
	deb $2 $4 main
	deb $2 $4-updates main
	deb $3 $4-security main
	END
    # A package must not start its service while an image is built.
    printf "#!/bin/sh\nexit 101\n" >usr/sbin/policy-rc.d
    chmod 755 usr/sbin/policy-rc.d
    # These describe the machine that built the image.
    rm -f etc/hostname etc/resolv.conf
' sh "$root" "$MIRROR" "$SECURITY" "$SUITE"

changes=(--change 'CMD ["bash"]' --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
for change; do changes+=(--change "$change"); done
as_root tar -C "$root" --numeric-owner --one-file-system -c . | docker import "${changes[@]}" - "$tag"
