"""The network that plans describe, in names of our own: nothing in plans is looked up by path."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import ModelError

_UNET = "dynamic_network_architectures.architectures.unet"
# The names that plans may give, exactly, and the class of dynamic_network_architectures that each
# stands for.
_NETWORKS: Mapping[str, str] = {
    f"{_UNET}.PlainConvUNet": "PlainConvUNet",
    f"{_UNET}.ResidualEncoderUNet": "ResidualEncoderUNet",
    f"{_UNET}.ResidualUNet": "ResidualUNet",
    # Where nnU-Net 2.0 to 2.3 had it.
    "dynamic_network_architectures.architectures.residual_unet.ResidualEncoderUNet": (
        "ResidualEncoderUNet"
    ),
}
# The same for what a network is made of, by keyword: module and classes of torch.nn.
_OPERATIONS: Mapping[str, Sequence[tuple[str, Sequence[str]]]] = {
    "conv_op": (("conv", ("Conv2d", "Conv3d")),),
    "norm_op": (
        ("instancenorm", ("InstanceNorm2d", "InstanceNorm3d")),
        ("batchnorm", ("BatchNorm2d", "BatchNorm3d")),
    ),
    "dropout_op": (("dropout", ("Dropout2d", "Dropout3d")),),
    "nonlin": (("activation", ("LeakyReLU", "ReLU", "PReLU", "ELU", "GELU", "SiLU", "Mish")),),
}


@dataclass(frozen=True)
class Architecture:
    """What a network is built of.

    Attributes
    ----------
    network : str
        Class in ``dynamic_network_architectures.architectures.unet``.
    operations : mapping of str to str or None
        Classes in ``torch.nn`` by keyword of that class.
    sizes : mapping
        Its other keywords: numbers, booleans, and lists and dictionaries of them.
    """

    network: str
    operations: Mapping[str, str | None]
    sizes: Mapping[str, Any]


def read_architecture(configuration: Mapping[str, Any], source: str) -> Architecture:
    """Read the network of a configuration that follows its schema and has a patch size."""
    described = configuration.get("architecture") or _translated(configuration)
    keywords = dict(described["arch_kwargs"])
    axes = len(configuration["patch_size"])
    _check_strides(keywords["strides"], configuration["patch_size"], source)
    network = _known(described["network_class_name"], _NETWORKS, "network", source)
    operations: dict[str, str | None] = {}
    for keyword in _OPERATIONS:
        name = keywords.pop(keyword, None)
        known = dict(_operation_names(keyword, axes))
        operations[keyword] = None if name is None else _known(name, known, keyword, source)
    return Architecture(network, operations, keywords)


def _known(name: str, known: Mapping[str, str], what: str, source: str) -> str:
    if name not in known:
        raise ModelError(
            f"The plans of {source} name {name!r}, which is no {what} that is known here.",
            f"Known are: {', '.join(known)}. A model that needs other code is not loaded.",
        )
    return known[name]


def _operation_names(keyword: str, axes: int) -> Iterator[tuple[str, str]]:
    """Yield every name of an operation on images with so many axes, and its class."""
    for module, classes in _OPERATIONS[keyword]:
        for name in classes:
            if not name.endswith("d") or name.endswith(f"{axes}d"):
                yield f"torch.nn.modules.{module}.{name}", name
                yield f"torch.nn.{name}", name


def _check_strides(strides: Sequence[Any], patch: Sequence[int], source: str) -> None:
    """Refuse a patch that the stages do not divide evenly: it would not come together again."""
    for axis, size in enumerate(patch):
        steps = [stage if isinstance(stage, int) else [*stage, 1][axis] for stage in strides]
        if size % math.prod(steps):
            raise ModelError(
                f"The plans of {source} have patches of {size} voxels, which the strides "
                f"({', '.join(map(str, steps))}) do not divide.",
                "They are damaged or not of nnU-Net v2; get the model again.",
            )


def _translated(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the network of plans of nnU-Net 2.0 to 2.3 as later ones do."""
    plain = configuration["UNet_class_name"]
    convolutions = configuration["n_conv_per_stage_encoder"]
    base, most = configuration["UNet_base_num_features"], configuration["unet_max_num_features"]
    features = [min(base * 2**stage, most) for stage in range(len(convolutions))]
    axes = len(configuration["patch_size"])
    per_stage = "n_conv_per_stage" if plain == "PlainConvUNet" else "n_blocks_per_stage"
    return {
        "network_class_name": f"{_UNET}.{plain}",
        "arch_kwargs": {
            "n_stages": len(convolutions),
            "features_per_stage": features,
            "conv_op": f"torch.nn.Conv{axes}d",
            "kernel_sizes": configuration["conv_kernel_sizes"],
            "strides": configuration["pool_op_kernel_sizes"],
            per_stage: convolutions,
            "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": f"torch.nn.InstanceNorm{axes}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
    }
