"""Train thigh models with nnU-Net v2's network, loss and checkpoints on synthesized images."""
