"""Tileable noise, sampled at any scale, and the colour and vector arithmetic of the renderer."""
import functools
from typing import List

import numpy as np

SEED = 20170330
GAMMA = 2.2
_TILE = 512  # texels along one side of a noise tile


def rgb(red: float, green: float, blue: float) -> np.ndarray:
    return (np.array([red, green, blue], np.float32) / 255) ** np.float32(GAMMA)


def unit(vector) -> np.ndarray:
    return (np.asarray(vector) / np.linalg.norm(vector)).astype(np.float32)


def dot(first, second):
    # Not a matrix product: that may depend on the number of threads, and keeps all of them busy.
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]


def smoothstep(low, high, value):
    value = np.clip((value - low) / (high - low), 0, 1)
    return value * value * (3 - 2 * value)


def mix(first, second, amount):
    return first + (second - first) * np.asarray(amount, np.float32)[..., None]


@functools.lru_cache(maxsize=None)
def _texture(kind: str) -> List[np.ndarray]:
    """A tileable noise of mean 0 and standard deviation 1 ("dots": 0..1), at full and ever lower resolutions."""
    rng = np.random.default_rng([SEED, ("dots", "cloud", "pores").index(kind)])
    if kind == "dots":
        cells, cell = 16, _TILE // 16
        middle, radius = rng.uniform(6, cell - 6, (2, cells, 1, cells, 1)), rng.uniform(1.5, 5, (cells, 1, cells, 1))
        rows, columns = np.arange(cell)[None, :, None, None], np.arange(cell)[None, None, None, :]
        noise = np.clip(radius - np.hypot(rows - middle[0], columns - middle[1]), 0, 1).reshape(_TILE, _TILE)
    else:
        frequency = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None]) * _TILE
        band = (frequency > 0) / (1 + frequency) ** 1.7 if kind == "cloud" else np.exp(-((frequency - 26) / 8) ** 2)
        noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((_TILE, _TILE))) * band)
        noise = noise / noise.std()
        if kind != "cloud":  # "pores": flat skin with pits
            noise = -np.maximum(noise - 0.2, 0)
            noise = (noise - noise.mean()) / noise.std()
    levels = [noise.astype(np.float32)]
    while len(levels[-1]) > 4:
        levels.append(levels[-1].reshape(len(levels[-1]) // 2, 2, -1, 2).mean((1, 3)))
    return levels


def sample(kind: str, u, v, footprint: float) -> np.ndarray:
    """Noise at (u, v) in tiles, each sample standing for `footprint` tiles, interpolated."""
    levels = _texture(kind)
    texture = levels[min(max(int(np.round(np.log2(max(footprint * _TILE, 1)))), 0), len(levels) - 1)]
    side = len(texture)
    # Positive, so that truncation rounds down.
    u, v = (u + 64) * side - 0.5, (v + 64) * side - 0.5
    column, row = u.astype(np.int32), v.astype(np.int32)
    u, v = u - column, v - row
    right, column = (column + 1) & (side - 1), column & (side - 1)
    below, row = ((row + 1) & (side - 1)) * side, (row & (side - 1)) * side
    first, second = texture.take(row + column), texture.take(below + column)
    first = first + (texture.take(row + right) - first) * u
    second = second + (texture.take(below + right) - second) * u
    return (first + (second - first) * v).astype(np.float32)
