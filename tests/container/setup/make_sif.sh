#!/usr/bin/env bash
# make_sif.sh FOLDER IMAGE: FOLDER/myomids.sif from the image, as docs/hpc.md says.
set -euo pipefail
cd "$(dirname "$0")/../../.."
folder=$1 image=$2
# Made again only if the image is another one.
identity=$(podman image inspect --format '{{.Id}}' "$image")
if [ -e "$folder/myomids.sif" ] && [ "$(cat "$folder/myomids.sif.image" 2>/dev/null)" = "$identity" ]; then
    exit 0
fi
scratch=$(mktemp -d -p "$folder")
trap 'rm -rf "$scratch"' EXIT
podman save --quiet --format docker-archive --output "$scratch/myomids.tar" "$image"
export APPTAINER_CACHEDIR=$scratch/cache APPTAINER_TMPDIR=$scratch
# A light compression, because the default takes minutes longer. The test of the definition needs
# capabilities that root lacks in some virtual machines; tests/container runs far more.
"$folder/apptainer/bin/apptainer" build --force --notest \
    --mksquashfs-args "-comp zstd -Xcompression-level 1" \
    --build-arg "archive=$scratch/myomids.tar" "$folder/myomids.sif" container/myomids.def
echo "$identity" >"$folder/myomids.sif.image"
