"""Import what MyoMIDS imports: shows that the stripped environment is whole, and compiles it.

``warm_imports.py {cpu,cuda}``, run while the image is built. Bytecode is written for the modules
that are really loaded; for all files it would weigh four times as much.
"""

import importlib
import sys

MODULES = (
    "bids",
    "dask_jobqueue",
    "distributed",
    "dynamic_network_architectures.architectures.unet",
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "nibabel",
    "nnunetv2.training.nnUNetTrainer.nnUNetTrainer",
    "nnunetv2.utilities.plans_handling.plans_handler",
    "openvino",
    "optuna",
    "pandas",
    "PIL.Image",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.signal",
    "scipy.stats",
    "shap",
    "SimpleITK",
    "skimage.measure",
    "skimage.morphology",
    "skimage.restoration",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "sklearn.svm",
    "torch",
    "tqdm",
    "xgboost",
    "yaml",
)


def main(torch_build: str) -> None:
    """Import everything and check that PyTorch is the build that was asked for."""
    for name in MODULES:
        importlib.import_module(name)
    import torch

    cuda = torch.version.cuda
    if (cuda is not None) != (torch_build == "cuda"):
        sys.exit(f"This is not the {torch_build} build of PyTorch: {torch.__version__}.")
    convolved = torch.nn.Conv3d(1, 2, 3)(torch.ones(1, 1, 4, 4, 4))
    if convolved.shape != (1, 2, 2, 2, 2):
        sys.exit("PyTorch does not convolve as it should.")

    import openvino

    if "CPU" not in openvino.Core().available_devices:
        sys.exit("OpenVINO finds no CPU device.")
    print(f"PyTorch {torch.__version__} (CUDA: {cuda}), OpenVINO {openvino.__version__}")


if __name__ == "__main__":
    main(sys.argv[1])
