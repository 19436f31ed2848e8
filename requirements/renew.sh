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

"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --requirement app.in
freeze >"$work/app.txt"
"$work/venv/bin/python" -m pip install --no-deps --requirement no-deps.in
freeze | grep -vxFf "$work/app.txt" >"$work/no-deps.txt"
"$work/venv/bin/python" -m pip install --constraint "$work/app.txt" --requirement extras.in
freeze | grep -vxFf "$work/app.txt" | grep -vxFf "$work/no-deps.txt" >"$work/extras.txt"
cat "$work/app.txt" "$work/no-deps.txt" "$work/extras.txt" >"$work/known.txt"
"$work/venv/bin/python" -m pip install --constraint "$work/app.txt" --requirement test.in
freeze | grep -vxFf "$work/known.txt" >"$work/test.txt"
cat "$work/test.txt" >>"$work/known.txt"
"$work/venv/bin/python" -m pip install --constraint "$work/known.txt" --requirement docs.in
freeze | grep -vxFf "$work/known.txt" >"$work/docs.txt"

for part in app:lock no-deps:lock-no-deps extras:lock-extras test:lock-test docs:lock-docs; do
    { echo "# Made by renew.sh from ${part%%:*}.in; do not edit."; cat "$work/${part%%:*}.txt"; } >"${part##*:}.txt"
done
