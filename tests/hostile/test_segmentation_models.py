"""Folders of segmentation models: no code runs, and no file is read that nothing vouches for."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bids_app.errors import ExitCode
from pipelines.files import sha256
from pipelines.segmentation.catalogue.model_files import ModelFiles, open_model
from pipelines.segmentation.catalogue.registry import read_registry
from tests.hostile.attack import CANARY, Attack, table
from tests.pipelines.segmentation.catalogue.test_model_files import (
    CHECKPOINT,
    fake_model,
    register,
)
from tests.pipelines.segmentation.tiny_models import dataset, plans

Content = dict[str, Any]
Change = Callable[[Content], object]
UNET = "dynamic_network_architectures.architectures.unet"
SYSTEM = "torch.nn.functional.torch.os.system"

# What the registry lists, what is done afterwards, how the model is named, what is said.
TRUST: list[tuple[str, list[str], Callable[[Path], object], str, str]] = [
    (
        "an entry without checksums, by name and path",
        [],
        lambda folder: None,
        "discs={folder}",
        "in no model registry",
    ),
    *(
        (
            f"an entry that lists the checkpoint only, as {how}",
            [CHECKPOINT],
            lambda folder: None,
            how,
            r"does not list the SHA-256 of dataset\.json, plans\.json .*tools/register_model\.py",
        )
        for how in ("discs", "{folder}", "discs={folder}", "bolsterlee_leg16={folder}")
    ),
    (
        "an entry that leaves out the plans",
        [CHECKPOINT, "dataset.json"],
        lambda folder: None,
        "{folder}",
        r"does not list the SHA-256 of plans\.json in",
    ),
    (
        "a calibration laid beside a registered model",
        [CHECKPOINT, "dataset.json", "plans.json"],
        lambda folder: (folder / "calibration.json").write_text("{}"),
        "discs",
        r"does not list the SHA-256 of calibration\.json",
    ),
    *(
        (
            f"{name} changed beside a known checkpoint",
            [CHECKPOINT, "dataset.json", "plans.json"],
            lambda folder, name=name: (folder / name).write_bytes(
                (folder / name).read_bytes() + b" "
            ),
            how,
            rf"{name} is not the file registered for model discs",
        )
        for name in ("plans.json", "dataset.json")
        for how in ("{folder}", "bolsterlee_leg16={folder}")
    ),
    (
        "another fold beside the registered one",
        [CHECKPOINT, "dataset.json", "plans.json"],
        lambda folder: _copy(folder / CHECKPOINT, folder / "fold_1" / "checkpoint_final.pth"),
        "discs",
        r"checkpoints that are not registered .* fold_1/checkpoint_final\.pth",
    ),
]

# Configuration 2d and its network; what is changed, what is said.
CODE: list[tuple[str, Change, str]] = [
    *(
        (
            f"network {name}",
            lambda c, name=name: c["architecture"].update(network_class_name=name),
            "which is no network that is known here",
        )
        for name in (
            "os.system",
            f"{UNET}.torch.os.system",
            f"{UNET}.PlainConvUNet.__init__",
            f"{UNET}.plainconvunet",
            f" {UNET}.PlainConvUNet",
            f"{UNET}..PlainConvUNet",
            "dynamic_network_architectures.architectures.primus.PrimusM",
            "",
        )
    ),
    *(
        (
            f"{keyword} {name}",
            lambda c, keyword=keyword, name=name: _network(c).update({keyword: name}),
            f"which is no {keyword} that is known here",
        )
        for keyword in ("conv_op", "norm_op", "dropout_op", "nonlin")
        for name in (SYSTEM, "torch.nn.modules.module.torch.load", "builtins.exec", "Conv2d\n")
    ),
    (
        "operations in an argument of another name",
        lambda c: _network(c).update(block=SYSTEM),
        "'block' was unexpected",
    ),
    (
        "operations by another list of names to import",
        lambda c: c["architecture"].update(
            _kw_requires_import=["strides"], arch_kwargs={**_network(c), "strides": SYSTEM}
        ),
        "strides: .* is not of type 'array'",
    ),
    (
        "old plans that name code",
        lambda c: (
            c.pop("architecture"),
            c.update(
                UNet_class_name="torch.os.system",
                UNet_base_num_features=8,
                unet_max_num_features=8,
                n_conv_per_stage_encoder=[1, 1],
                n_conv_per_stage_decoder=[1],
                pool_op_kernel_sizes=[[1, 1], [2, 2]],
                conv_kernel_sizes=[[3, 3], [3, 3]],
            ),
        ),
        "which is no network that is known here",
    ),
    (
        "a preparation of their own",
        lambda c: c.update(preprocessor_name=SYSTEM),
        "which is not part of nnU-Net",
    ),
    ("a resampling of their own", lambda c: c.update(resampling_fn_data=SYSTEM), "not known here"),
    (
        "a normalization of their own",
        lambda c: c.update(normalization_schemes=[SYSTEM] * 2),
        "not known here",
    ),
]

SIZES: list[tuple[str, Change, str]] = [
    ("huge patch", lambda c: c.update(patch_size=[10**9, 64]), "greater than the maximum"),
    ("a patch of 16 million pixels", lambda c: c.update(patch_size=[4096, 4095]), "strides"),
    ("patch of zero", lambda c: c.update(patch_size=[0, 64]), "less than the minimum"),
    ("negative patch", lambda c: c.update(patch_size=[-48, 64]), "less than the minimum"),
    ("patch in text", lambda c: c.update(patch_size="4864"), "is not of type 'array'"),
    ("patch of one axis", lambda c: c.update(patch_size=[48]), "too short"),
    ("patch of four axes", lambda c: c.update(patch_size=[1, 2, 48, 64]), "too long"),
    ("patch of true", lambda c: c.update(patch_size=[True, 64]), "is not of type 'integer'"),
    ("patch of 4,000 digits", lambda c: c.update(patch_size=[10**4000, 64]), "patch_size/0"),
    ("patch and spacing that differ", lambda c: c.update(spacing=[1.5] * 3), "2 axes and 3 voxel"),
    ("spacing of zero", lambda c: c.update(spacing=[0, 1.5]), "less than the minimum"),
    ("spacing of 1e-300", lambda c: c.update(spacing=[1e-300, 1.5]), "less than the minimum"),
    ("infinite spacing", lambda c: c.update(spacing=[1e999, 1.5]), "is not of type 'number'"),
    ("no spacing", lambda c: c.update(spacing=None), "is not of type 'array'"),
    ("2 TB of features", lambda c: _network(c).update(features_per_stage=10**9), "greater than"),
    ("stages without end", lambda c: _network(c).update(n_stages=10**6), "greater than"),
    (
        "convolutions without end",
        lambda c: _network(c).update(n_conv_per_stage=[10**6, 1]),
        "greater than",
    ),
    ("huge kernels", lambda c: _network(c).update(kernel_sizes=[[999, 3]] * 2), "greater than"),
    ("strides of zero", lambda c: _network(c).update(strides=[[1, 1], [0, 2]]), "less than"),
    ("strides that do not fit", lambda c: _network(c).update(strides=[[5, 1], [2, 2]]), "strides"),
    ("options in text", lambda c: _network(c).update(nonlin_kwargs={"a": "b"}), "not of type"),
    ("a network in a list", lambda c: c.update(architecture=[1]), "is not of type 'object'"),
    (
        "splines of order 99",
        lambda c: c["resampling_fn_data_kwargs"].update(order=99),
        "greater than the maximum",
    ),
    ("too few channels", lambda c: c.update(normalization_schemes=[]), "do not say how each of 2"),
    ("masks in text", lambda c: c.update(use_mask_for_norm="no"), "is not of type 'array'"),
]

# The file, what is changed in it, what is said.
FILES: list[tuple[str, str, Change, str]] = [
    (
        "axes out of range",
        "plans.json",
        lambda p: p.update(transpose_forward=[0, 1, 7]),
        "is not one of",
    ),
    (
        "axes twice",
        "plans.json",
        lambda p: p.update(transpose_forward=[0, 0, 1]),
        "non-unique elements",
    ),
    (
        "a configuration that inherits from itself",
        "plans.json",
        lambda p: p["configurations"]["2d"].update(inherits_from="2d"),
        "in a way that fails",
    ),
    (
        "a configuration that inherits from a list",
        "plans.json",
        lambda p: p["configurations"]["2d"].update(inherits_from=["2d"]),
        "is not of type 'string'",
    ),
    (
        "configurations in a list",
        "plans.json",
        lambda p: p.update(configurations=[1]),
        "has no 'configurations'",
    ),
    (
        "infinite intensities",
        "plans.json",
        lambda p: p.update(foreground_intensity_properties_per_channel={"0": {"mean": 1e300}}),
        "greater than the maximum",
    ),
    (
        "channels that are no numbers",
        "dataset.json",
        lambda d: d.update(channel_names={"../0": "water", "1": "fat"}),
        "does not match",
    ),
    (
        "labels without end",
        "dataset.json",
        lambda d: d.update(labels={"gracilis": 10**9}),
        "greater than the maximum",
    ),
    (
        "labels in text",
        "dataset.json",
        lambda d: d.update(labels={"gracilis": "__import__('os')"}),
        "is not of type 'integer'",
    ),
    ("negative labels", "dataset.json", lambda d: d.update(labels={"a": -1}), "less than"),
]


def _copy(file: Path, copy: Path) -> None:
    copy.parent.mkdir()
    copy.write_bytes(file.read_bytes())


def _network(configuration: Content) -> Content:
    arguments: Content = configuration["architecture"]["arch_kwargs"]
    return arguments


def _open(model: object, folder: Path, *, trusted: bool) -> ModelFiles:
    registry_file = folder / "ours.json"
    registry = read_registry(registry_file if registry_file.exists() else None)
    return open_model(str(model), registry, cache_dir=folder / "cache", trust_model=trusted)


def _trust() -> Iterator[Attack]:
    for name, listed, change, how, text in TRUST:

        def read(
            folder: Path, listed: Any = listed, change: Any = change, how: str = how
        ) -> ModelFiles:
            model = fake_model(folder)
            checksums = {file: sha256(model / file) for file in listed}
            register(folder / "ours.json", model, files=checksums)
            change(model)
            return _open(how.format(folder=model), folder, trusted=False)

        yield Attack(name, read, ExitCode.UNAVAILABLE, text)


def _with(file: str, change: Change) -> Callable[[Path], ModelFiles]:
    """Read a model that the user trusts, one of whose files has been changed."""

    def read(folder: Path) -> ModelFiles:
        content = plans() if file == "plans.json" else dataset()
        change(content)
        return _open(fake_model(folder, **{file: content}), folder, trusted=True)

    return read


def _plans() -> Iterator[Attack]:
    for name, change, text in [*CODE, *SIZES]:
        read = _with("plans.json", lambda p, change=change: change(p["configurations"]["2d"]))
        yield Attack(name, read, ExitCode.UNAVAILABLE, text)
    for name, file, change, text in FILES:
        yield Attack(name, _with(file, change), ExitCode.UNAVAILABLE, text)


def _text(text: str) -> Callable[[Path], ModelFiles]:
    def read(folder: Path) -> ModelFiles:
        model = fake_model(folder)
        (model / "plans.json").write_text(text, encoding="utf-8")
        return _open(model, folder, trusted=True)

    return read


def _archive(member: str, content: bytes = b"x") -> Callable[[Path], ModelFiles]:
    def read(folder: Path) -> ModelFiles:
        path = folder / "model.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, content)
        return _open(path, folder, trusted=True)

    return read


def _pickle_in_an_unknown_checkpoint(folder: Path) -> ModelFiles:
    model = fake_model(folder)
    command = f"cos\nsystem\n(S'touch {folder / CANARY}'\ntR.".encode()
    (model / CHECKPOINT).write_bytes(command)
    return _open(model, folder, trusted=False)


def _archive_that_is_a_checkpoint(folder: Path) -> ModelFiles:
    model = fake_model(folder)
    digest = sha256(model / CHECKPOINT)
    register(folder / "ours.json", model, files={}, archive_sha256=digest)
    return _open(model, folder, trusted=False)


OTHERS = [
    Attack(
        "a pickle that runs a command",
        _pickle_in_an_unknown_checkpoint,
        ExitCode.UNAVAILABLE,
        "in no model registry",
    ),
    Attack(
        "a known archive under the name of a checkpoint",
        _archive_that_is_a_checkpoint,
        ExitCode.UNAVAILABLE,
        "in no model registry",
    ),
    *(
        Attack(f"plans that are {name}", _text(text), ExitCode.UNAVAILABLE, said)
        for name, text, said in (
            ("nothing", "", r"plans\.json cannot be read"),
            ("cut off", '{"configurations": {', r"plans\.json cannot be read"),
            ("nested deep", "[" * 100_000, r"plans\.json cannot be read"),
            ("a list", "[]", r"plans\.json is not a JSON object"),
            ("a number of 5,000 digits", "1" * 5000, r"plans\.json cannot be read"),
        )
    ),
    *(
        Attack(f"a zip with {member}", _archive(member), ExitCode.UNAVAILABLE, "leads out of its")
        for member in ("../plans.json", "/etc/plans.json", "a/../../plans.json", "..\\plans.json")
    ),
    Attack("a zip without plans", _archive("x.txt"), ExitCode.UNAVAILABLE, r"holds no plans\.json"),
    Attack("plans in a pickle", _archive("plans.pkl"), ExitCode.UNAVAILABLE, "model of nnU-Net v1"),
]


def test_the_model_that_the_attacks_change_is_itself_accepted(tmp_path: Path) -> None:
    model = fake_model(tmp_path)
    register(tmp_path / "ours.json", model)
    assert _open("discs", tmp_path, trusted=False).plan is not None
    assert json.loads((model / "plans.json").read_text()) == plans()


@table([*_trust(), *_plans(), *OTHERS])
def test_segmentation_model(attack: Attack, tmp_path: Path) -> None:
    attack.check(tmp_path)
