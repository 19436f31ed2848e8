#!/usr/bin/env bash
# build_image.sh BASE IMAGE: the image of the repository's Dockerfile, unchanged, on another base.
set -euo pipefail
cd "$(dirname "$0")/../../.."
base=$1 image=$2
options=(--build-arg "BASE_IMAGE=$base")
# Where pip is told of a folder of wheels, the CPU build of PyTorch may lie there.
wheels=$(python3 -m pip config list | sed -n "s/^.*find-links='\(.*\)'$/\1/p" | head -n 1)
if ls "$wheels"/torch-*+cpu-*.whl >/dev/null 2>&1; then
    options+=(--volume "$wheels:/wheels:ro" --build-arg TORCH_CPU_WHEELS=/wheels)
fi
podman build --format docker --pull=never --network=host "${options[@]}" \
    --build-arg "REVISION=$(git rev-parse HEAD)" --tag "$image" .
