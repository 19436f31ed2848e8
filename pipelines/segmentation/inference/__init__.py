"""From an image to labels, with OpenVINO or PyTorch; start at ``predict``."""
