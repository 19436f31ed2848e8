"""Segment muscles with nnU-Net: model registry, prediction, left and right, plausibility."""
