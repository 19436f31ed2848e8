#!/usr/bin/env bash
# install_apptainer.sh PREFIX: Debian's Apptainer in a folder of its own.
#
# Debian 12 has no Apptainer. The package of Debian sid is unpacked here beside the newer C library
# it needs; no package source is added and nothing outside PREFIX changes.
set -euo pipefail
prefix=$1
if "$prefix/bin/apptainer" --version 2>/dev/null; then
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -n 1)

fetch() { # SUITE PACKAGE...: unpack packages of a Debian release below $scratch/PACKAGE
    local suite=$1 apt="$scratch/apt-$1"
    shift
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
        >"$apt/sources.list"
    {
        echo "Dir::Etc::sourcelist \"$apt/sources.list\";"
        echo 'Dir::Etc::sourceparts "/dev/null";'
        echo 'Dir::Etc::preferencesparts "/dev/null";'
        echo "Dir::State::lists \"$apt/lists\";"
        echo "Dir::State::status \"$apt/status\";"
        echo "Dir::Cache \"$apt/cache\";"
        echo 'APT::Sandbox::User "root";'
    } >"$apt/apt.conf"
    export APT_CONFIG=$apt/apt.conf
    apt-get -qq update
    local package
    for package in "$@"; do
        (cd "$apt" && apt-get -qq download "$package" && dpkg-deb -x "${package}"_*.deb "$scratch/$package")
    done
}

fetch sid apptainer
fetch trixie libc6 libseccomp2 libsqlite3-0
rm -rf "$prefix"
mkdir -p "$prefix/c-library" "$prefix/var/lib/apptainer/mnt/session"
cp -a "$scratch"/apptainer/usr/{bin,lib,share} "$scratch/apptainer/etc" "$prefix/"
for library in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libresolv.so.2 libpthread.so.0 libdl.so.2 \
    libnss_files.so.2 libnss_dns.so.2 libseccomp.so.2 libsqlite3.so.0; do
    cp -L "$(find "$scratch"/lib* -name "$library" | head -n 1)" "$prefix/c-library/"
done
for program in bin/apptainer lib/x86_64-linux-gnu/apptainer/bin/starter; do
    patchelf --set-interpreter "$prefix/c-library/ld-linux-x86-64.so.2" \
        --force-rpath --set-rpath "$prefix/c-library" "$prefix/$program"
done
# The starter looks for its files below lib/, where Debian's paths would lead it.
for folder in bin etc share var; do
    ln -sfn "../$folder" "$prefix/lib/$folder"
done
# Root in a container lacks some capabilities, and Apptainer refuses to grant those.
sed -i 's/^root default capabilities = .*/root default capabilities = no/' \
    "$prefix/etc/apptainer/apptainer.conf"
"$prefix/bin/apptainer" --version
