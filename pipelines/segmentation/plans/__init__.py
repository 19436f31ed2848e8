"""What a model's plans say, and the preparation of images that they prescribe."""
