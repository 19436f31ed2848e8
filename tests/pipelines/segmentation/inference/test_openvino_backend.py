"""OpenVINO gives the labels PyTorch gives; conversions are kept; precision is chosen honestly."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipelines.errors import DeviceError
from pipelines.files import sha256
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference import openvino_backend, openvino_conversion
from pipelines.segmentation.inference.openvino_backend import CompiledNetwork, choose_precision
from pipelines.segmentation.inference.openvino_conversion import convert_to_folder
from pipelines.segmentation.inference.openvino_runtime import ov
from pipelines.segmentation.inference.predict import load_segmenter, predict_labels
from tests.pipelines.segmentation.catalogue.test_model_files import register
from tests.pipelines.segmentation.tiny_models import SPACING, disc_scan, plans, write_model


def load(folder, tmp_path, backend, threads=1, **options):
    files = open_model(str(folder), read_registry(), cache_dir=tmp_path, trust_model=True)
    return load_segmenter(files, device="cpu", backend=backend, threads=threads, **options)


def dice(first, second, value):
    a, b = first == value, second == value
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def capable():
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_labels_agree_with_pytorch(trained_folder, tmp_path, precision):
    if precision == "bf16" and not capable():
        pytest.skip("this CPU has no bfloat16 instructions")
    channels, affine, _ = disc_scan((150, 120, 6), (0.7, 0.7, 8.0), seed=12)
    plain = predict_labels(channels, affine, load(trained_folder, tmp_path, "torch"))
    fast = load(trained_folder, tmp_path, "openvino", precision=precision)
    assert fast.precision == precision
    found = predict_labels(channels, affine, fast)
    assert plain.labels.any()
    for value in (1, 2):
        assert dice(found.labels, plain.labels, value) >= 0.995
        np.testing.assert_allclose(found.soft_voxels[value], plain.soft_voxels[value], rtol=0.01)


def test_three_dimensional_networks_agree_too(checkpoint_3d, tmp_path):
    content = {"plans.json": plans(three_dimensional=True)}
    folder = write_model(tmp_path, checkpoint_3d, configuration="3d_fullres", **content)
    channels, affine, _ = disc_scan((64, 48, 8), (SPACING, SPACING, 6.0), seed=12)
    plain, fast = (
        predict_labels(channels, affine, load(folder, tmp_path, backend, precision="f32"))
        for backend in ("torch", "openvino")
    )
    for value in (1, 2):
        assert dice(fast.labels, plain.labels, value) >= 0.995


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_results_do_not_depend_on_the_number_of_threads(trained_folder, tmp_path, precision):
    if precision == "bf16" and not capable():
        pytest.skip("this CPU has no bfloat16 instructions")
    channels, affine, _ = disc_scan((150, 120, 7), (0.7, 0.7, 8.0), seed=5)
    one, *others = (
        predict_labels(
            channels,
            affine,
            load(trained_folder, tmp_path, "openvino", threads, precision=precision),
        )
        for threads in (1, 2, 5)
    )
    for other in others:
        np.testing.assert_array_equal(other.labels, one.labels)
        np.testing.assert_array_equal(other.probability, one.probability)
        np.testing.assert_array_equal(other.entropy, one.entropy)
        np.testing.assert_equal(other.soft_voxels, one.soft_voxels)


def test_logits_come_in_the_order_of_the_tiles(trained_folder, tmp_path):
    fast, plain = (
        load(trained_folder, tmp_path, backend, threads=2).folds[0]
        for backend in ("openvino", "torch")
    )
    tiles = np.random.default_rng(0).random((9, 2, 48, 64), np.float32)
    ours = [logits.copy() for logits in fast(iter(tiles))]
    theirs = list(plain(iter(tiles)))
    np.testing.assert_allclose(np.stack(ours), np.stack(theirs), atol=1e-3)


class SlowRequest:
    """An inference that ends only when it is waited for; gives back its input."""

    def __init__(self):
        self.running = False

    def start_async(self, inputs):
        assert not self.running, "a request that still runs was started"
        self.running, self.image = True, inputs[0].copy()

    def wait(self):
        self.running = False

    def get_output_tensor(self):
        return SimpleNamespace(data=self.image)


def test_network_can_be_used_again_after_an_interruption():
    requests = [SlowRequest() for _ in range(3)]
    made = iter(requests)
    compiled = SimpleNamespace(
        get_property={"NUM_STREAMS": 2}.get, create_infer_request=lambda: next(made)
    )
    network = CompiledNetwork(compiled)
    tiles = np.random.default_rng(0).random((7, 2, 4, 6), np.float32)
    for logits in network(tiles):
        np.testing.assert_array_equal(logits, tiles[0])
        assert [request.running for request in requests] == [False, True, True]
        break
    assert not any(request.running for request in requests)
    for logits, tile in zip(network(tiles), tiles, strict=True):
        np.testing.assert_array_equal(logits, tile)


def test_automatic_backend_on_a_cpu_is_openvino(trained_folder, tmp_path):
    assert load(trained_folder, tmp_path, "auto").backend == "openvino"


def test_second_load_does_not_convert_again(trained_folder, tmp_path, monkeypatch):
    load(trained_folder, tmp_path, "openvino", cache_dir=tmp_path)
    kept = sorted(p.name for p in tmp_path.rglob("fold_0.*"))
    assert kept == ["fold_0.bin", "fold_0.xml"]
    assert not list(tmp_path.rglob("tmp*")), "temporary folders stay behind"
    monkeypatch.delattr(openvino_conversion, "convert")
    again = load(trained_folder, tmp_path, "openvino", cache_dir=tmp_path)
    channels, affine, truth = disc_scan((64, 48, 4), (SPACING, SPACING, 6.0), seed=3)
    assert dice(predict_labels(channels, affine, again).labels, truth, 1) > 0.9


def test_unwritable_cache_is_not_an_error(trained_folder, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    assert load(trained_folder, tmp_path, "openvino", cache_dir=blocked).backend == "openvino"


def test_changed_model_is_converted_anew(model_folder, checkpoint, tmp_path):
    load(model_folder, tmp_path, "openvino", cache_dir=tmp_path / "cache")
    weights = {key: value * 0 for key, value in checkpoint["network_weights"].items()}
    path = model_folder / "fold_0" / "checkpoint_final.pth"
    torch.save({**checkpoint, "network_weights": weights}, path)
    changed = load(model_folder, tmp_path, "openvino", cache_dir=tmp_path / "cache")
    channels, affine, _ = disc_scan((64, 48, 2), (SPACING, SPACING, 6.0))
    found = predict_labels(channels, affine, changed)
    assert not found.labels.any()
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_shipped_networks_are_used_without_the_checkpoint(model_folder, tmp_path, monkeypatch):
    files = open_model(str(model_folder), read_registry(), cache_dir=tmp_path, trust_model=True)
    written = convert_to_folder(files, model_folder / "openvino")
    names = [path.relative_to(model_folder).as_posix() for path in written]
    assert names == ["openvino/fold_0.xml", "openvino/fold_0.bin"]
    used = ["dataset.json", "plans.json", "fold_0/checkpoint_final.pth", *names]
    registry = register(
        tmp_path / "ours.json",
        model_folder,
        configuration="2d",
        files={name: sha256(model_folder / name) for name in used},
    )
    registered = open_model("discs", registry, cache_dir=tmp_path)
    monkeypatch.setattr(torch, "load", None)
    shipped = load_segmenter(registered, device="cpu", backend="openvino")
    channels, affine, truth = disc_scan((64, 48, 4), (SPACING, SPACING, 6.0), seed=3)
    assert dice(predict_labels(channels, affine, shipped).labels, truth, 1) > 0.9


def test_bundled_model_runs_without_torch_and_nnunet(repository, tmp_path):
    code = f"""
import sys
from pathlib import Path
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.inference.predict import load_segmenter
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.segment import segment
from tests.pipelines.segmentation.tiny_models import disc_scan
registry = read_registry()
files = open_model(registry.default, registry, cache_dir=Path({str(tmp_path)!r}))
segmenter = load_segmenter(files, device="cpu", threads=1)
channels, affine, _ = disc_scan((128, 96, 2), (1.5, 1.5, 6.0))
result = segment(dict(zip(("water", "fat"), channels)), affine, segmenter)
assert result.provenance["Backend"] == "openvino"
print(sorted({{name.split(".")[0] for name in sys.modules}} & {{"torch", "nnunetv2", "SimpleITK"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_conversion_reports_to_nobody(trained_folder, tmp_path, monkeypatch):
    import socket

    opened = []
    monkeypatch.setattr(socket.socket, "connect", lambda *arguments: opened.append(arguments))
    load(trained_folder, tmp_path, "openvino")
    assert opened == []


@pytest.fixture
def capabilities(monkeypatch):
    """Pretend that the CPU has certain capabilities."""

    def pretend(*names):
        class Core:
            def get_property(self, device, name):
                assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
                return list(names)

        monkeypatch.setattr(openvino_backend.ov, "Core", Core)

    return pretend


@pytest.mark.parametrize(
    ("requested", "verified", "names", "expected"),
    [
        ("auto", True, ("FP32", "BF16"), "bf16"),
        ("auto", False, ("FP32", "BF16"), "f32"),
        ("auto", True, ("FP32",), "f32"),
        ("f32", True, ("FP32", "BF16"), "f32"),
        ("bf16", False, ("FP32", "BF16"), "bf16"),
    ],
)
def test_precision_follows_cpu_model_and_wish(capabilities, requested, verified, names, expected):
    capabilities(*names)
    assert choose_precision(requested, verified=verified) == expected


def test_bfloat16_that_cannot_be_had_is_refused(capabilities):
    capabilities("FP32")
    with pytest.raises(DeviceError, match="no bfloat16 instructions"):
        choose_precision("bf16", verified=True)
