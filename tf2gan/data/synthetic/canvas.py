"""The picture that fruits and leaves are laid over, with several samples per pixel."""
import numpy as np


class Canvas:
    """A linear picture to lay things over, and how much of each pixel fruit covers."""

    def __init__(self, size: int):
        self.size = size
        # Small pictures can afford, and need, more samples per pixel.
        self.samples = 2 if size > 96 else 3
        self.image = np.zeros((size, size, 3), np.float32)
        self.fruit = np.zeros((size, size), np.float32)

    def axis(self, first: int, last: int, samples: int) -> np.ndarray:
        """Middles of the samples of pixels [first, last) from left to right, (n,)."""
        return ((np.arange(first * samples, last * samples) + 0.5) * (2 / self.size / samples) - 1).astype(np.float32)

    def box(self, center: np.ndarray, reach: float):
        """The part of the frame within `reach` of a point: (slices, x, y), or None if it is outside."""
        low = [int(np.floor((c - reach + 1) / 2 * self.size)) for c in (center[0], -center[1])]
        high = [int(np.ceil((c + reach + 1) / 2 * self.size)) for c in (center[0], -center[1])]
        low, high = np.clip(low, 0, self.size), np.clip(high, 0, self.size)
        if (low >= high).any():
            return None
        x, y = self.axis(low[0], high[0], self.samples), -self.axis(low[1], high[1], self.samples)
        return ((slice(low[1], high[1]), slice(low[0], high[0])), *np.broadcast_arrays(x[None, :], y[:, None]))

    def over(self, slices, cover: np.ndarray, color: np.ndarray, fruit: bool = False) -> None:
        """Lays `color` (h, w, 3) over the picture where `cover` (h, w), both at sample resolution."""
        samples = self.samples
        layer = np.concatenate([color * cover[..., None], cover[..., None]], axis=-1)
        # Much faster than a mean over the axes of a reshaped array.
        layer = sum(layer[row::samples] for row in range(samples))
        layer = sum(layer[:, column::samples] for column in range(samples)) / samples ** 2
        color, cover = layer[..., :3], layer[..., 3]
        self.image[slices] = self.image[slices] * (1 - cover[..., None]) + color
        self.fruit[slices] = self.fruit[slices] * (1 - cover) + (cover if fruit else 0)
