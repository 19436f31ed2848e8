"""Make plausible Dixon images of thighs, with their labels, from label maps alone."""
