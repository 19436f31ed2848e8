"""A bank of smooth random textures, made once, from which samples cut random windows.

Filtering fresh noise for every sample would cost more than the rest of the synthesis; a window of
a few hundred pixels, flipped, out of large textures is as good as new.
"""

import numpy as np
from scipy import ndimage, special

from pipelines.arrays import Float32

# Smoothing of each texture along the two axes, pixels. Streaks run along either axis or, mixed,
# obliquely; feathered muscles show all of them.
TEXTURES: dict[str, tuple[tuple[float, float], ...]] = {
    "warp": ((28.0, 28.0),),
    "ripple": ((11.0, 11.0),),
    "smooth": ((12.0, 12.0),),
    "patch": ((4.0, 4.0),),
    "fine": ((1.0, 1.0),),
    "grain": ((1.6, 1.6),),
    "streak_x": ((7.0, 0.9), (4.0, 4.0)),
    "streak_y": ((0.9, 7.0), (4.0, 4.0)),
    "streak_diagonal": ((7.0, 0.9), (4.0, 4.0)),
}
ROTATED = {"streak_diagonal": 45.0}
BANK_SIZE = 640
BANK_COPIES = 3


class NoiseBank:
    """Textures of zero mean and unit variance, by name.

    Parameters
    ----------
    seed : int
        Seed of the textures.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._planes = {
            name: [self._texture(name, scales, rng) for _ in range(BANK_COPIES)]
            for name, scales in TEXTURES.items()
        }

    @staticmethod
    def _texture(
        name: str, scales: tuple[tuple[float, float], ...], rng: np.random.Generator
    ) -> Float32:
        margin = BANK_SIZE // 4 if name in ROTATED else 0
        size = BANK_SIZE + 2 * margin
        texture = np.zeros((size, size), np.float32)
        for scale in scales:
            part = ndimage.gaussian_filter(
                rng.standard_normal((size, size)).astype(np.float32), scale, mode="wrap"
            )
            texture += part / part.std()
        if margin:
            texture = ndimage.rotate(texture, ROTATED[name], reshape=False, order=1)
            texture = texture[margin:-margin, margin:-margin]
        normalized: Float32 = ((texture - texture.mean()) / texture.std()).astype(np.float32)
        return normalized

    def draw(self, name: str, shape: tuple[int, int], rng: np.random.Generator) -> Float32:
        """Return a random window of a texture, normally distributed."""
        planes = self._planes[name]
        plane = planes[rng.integers(len(planes))]
        x, y = (int(rng.integers(0, BANK_SIZE - n + 1)) for n in shape)
        window = plane[x : x + shape[0], y : y + shape[1]]
        return window[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]

    def draw_uniform(self, name: str, shape: tuple[int, int], rng: np.random.Generator) -> Float32:
        """Return a random window of a texture, uniformly distributed between 0 and 1."""
        uniform: Float32 = special.ndtr(self.draw(name, shape, rng))
        return uniform
