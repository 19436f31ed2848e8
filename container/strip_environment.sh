#!/bin/sh
# Remove from a virtual environment what running MyoMIDS never needs; the image is a third smaller.
# warm_imports.py and the tests against the image show that nothing else is missing.
set -eu
venv=$1
packages=$(echo "$venv"/lib/python3*/site-packages)

# Installers, and the tests that packages ship. numpy and pandas load their `testing`, never `tests`.
rm -rf "$packages"/pip "$packages"/pip-*.dist-info "$packages"/setuptools* "$packages"/_distutils_hack \
    "$packages"/distutils-precedence.pth "$packages"/pkg_resources "$venv"/bin/pip*
find "$packages" -type d -name __pycache__ -prune -exec rm -rf {} +
find "$packages" -type d -name tests -prune -exec rm -rf {} +

# PyTorch: headers and static libraries for compiling extensions, its own tests and tools.
# torch_shm_manager serves tensors that processes share.
rm -rf "$packages"/torch/include "$packages"/torch/test "$packages"/torch/share
find "$packages"/torch/bin -mindepth 1 -maxdepth 1 ! -name torch_shm_manager -exec rm -rf {} +
find "$packages"/torch/lib \( -name '*.a' -o -name '*_test.so' -o -name 'libbackend_with_compiler.so' \) -delete

# OpenVINO runs on the CPU here; its plugins for Intel GPUs and NPUs need drivers of the host.
find "$packages"/openvino/libs \( -name 'libopenvino_intel_[gn]pu_*' -o -name cache.json \) -delete

# OpenVINO's reports to its makers, which MyoMIDS never lets it load.
rm -rf "$packages"/openvino_telemetry*

# Headers for compiling against packages, and symbols for debuggers.
find "$packages" -type d -name include -prune -exec rm -rf {} +
for library in "$packages"/torch/lib/libtorch_cpu.so "$packages"/llvmlite/binding/libllvmlite.so; do
    if [ -f "$library" ]; then
        strip --strip-unneeded "$library"
    fi
done
