#!/usr/bin/env bash
# make_base.sh IMAGE: a stand-in for debian:bookworm-slim, from Debian's own archive.
#
# Continuous integration cannot reach the registry that has the real one. This one also trusts the
# certificate authorities of the machine, so pip works behind a proxy. For tests, never to publish.
set -euo pipefail
image=$1
if podman image exists "$image"; then
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/authorities" "$scratch/tmp"
find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$scratch/authorities/" \;
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$scratch/pip.conf"
# The slim image leaves documentation and translations out.
TMPDIR=$scratch/tmp mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="copy-in $scratch/authorities/. /usr/local/share/ca-certificates" \
    --customize-hook="copy-in $scratch/pip.conf /etc" \
    --customize-hook='chroot "$1" update-ca-certificates' \
    bookworm "$scratch/base.tar" /etc/apt/sources.list.d/debian.sources
podman import --quiet "$scratch/base.tar" "$image"
