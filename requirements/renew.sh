#!/usr/bin/env bash
# Renew the lock files from the .in files: run it, run `make test`, commit both.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3.11}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

freeze() { # the local version (+cpu) of torch exists on some package indexes only
    "$work/venv/bin/python" -m pip freeze | sed 's/^\(torch==[0-9.]*\)+.*/\1/' | grep -v '^nvidia\|^triton\|^cuda'
}

hashes() { # of every file of these versions, whichever platform pip chooses one for
    "$work/uv/bin/uv" pip compile --quiet --no-deps --generate-hashes --no-annotate --no-header \
        --python-version 3.11 "$1"
}

"$python" -m venv "$work/uv"
"$work/uv/bin/python" -m pip install --quiet uv
"$python" -m venv "$work/venv"
: >"$work/known.txt"
# Each part stands on those before it.
for part in app extras torch nnunet nnunet-no-deps test docs; do
    resolve=()
    [ "$part" != nnunet-no-deps ] || resolve=(--no-deps)
    "$work/venv/bin/python" -m pip install "${resolve[@]}" --constraint "$work/known.txt" \
        --requirement "$part.in"
    freeze | grep -vxFf "$work/known.txt" >"$work/$part.txt" || true
    cat "$work/$part.txt" >>"$work/known.txt"
done

# The builds of torch for CPUs and for GPUs are different files of one version: no hashes. What only
# torch needs is locked with nnU-Net.
grep -v '^torch==' "$work/torch.txt" >>"$work/nnunet.txt"
{
    echo "# Made by renew.sh from torch.in; do not edit. Without hashes: its builds for CPUs and for GPUs are"
    echo "# different files of one version."
    grep '^torch==' "$work/torch.txt"
} >lock-torch.txt
for part in app:lock extras:lock-extras nnunet:lock-nnunet nnunet-no-deps:lock-nnunet-no-deps \
    test:lock-test docs:lock-docs; do
    sort --ignore-case --output "$work/${part%%:*}.txt" "$work/${part%%:*}.txt"
    { echo "# Made by renew.sh from ${part%%:*}.in; do not edit."; hashes "$work/${part%%:*}.txt"; } >"${part##*:}.txt"
done
