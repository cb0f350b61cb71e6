"""`synthetic_digits`: handwritten digits, a stand-in for MNIST without a download."""
import numpy as np
from PIL import Image

from tf2gan.data.synthetic.builder import DrawnSet, SizeConfig, generator
from tf2gan.data.synthetic.strokes import WAYS, ink, strokes

_SAMPLES = 4  # of the pen's canvas along one side of a pixel
_BOX, _FRAME = 20, 28  # MNIST fits its digits into 20 of 28 pixels


def render_digit(split: str, index: int, size: int = 28) -> np.ndarray:
    """Writes example `index` of a split; the digit is `index % 10`.

    Args:
      split: "train" or "test".
      index: 0 or more, not bounded by the number of examples of a config.
      size: side of the picture in pixels, at least 16.

    Returns:
      uint8 (size, size, 1), white on black. Equal arguments give equal pictures; an index shows the same digit at
      every size.

    Raises:
      ValueError: for another split, a negative index or too small a size.
    """
    rng = generator(1, split, index, size)
    digit = index % 10
    lines = strokes(digit, int(rng.integers(len(WAYS[digit]))))
    counts = [len(line) for line in lines]
    points = _written(rng, np.concatenate(lines) - [0.3, 0.5])
    # Radii of the pen in MNIST's pixels, which vary with the pressure along the stroke.
    pressed = np.sin(np.linspace(0, rng.uniform(2, 8), len(points)) + rng.uniform(0, 6.3))
    radii = np.clip(rng.normal(1.2, 0.3), 0.75, 1.8) * (1 + 0.2 * rng.random() * pressed)
    low, high = points.min(0), points.max(0)
    scale = (_BOX * rng.uniform(0.88, 1.0) - 2 * radii.mean()) / (high - low).max()
    # Centred by the middle of the ink, as in MNIST. Points are denser in curves, so they are weighted by length.
    steps = np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=1)
    steps[np.cumsum([0] + counts[:-1])] = 0  # the pen is lifted
    middle = (points * steps[:, None]).sum(0) / steps.sum()
    points = (points - middle) * scale + rng.uniform(-0.8, 0.8, 2) + _FRAME / 2
    reach = 2 + radii.max()  # keeps the whole digit in the frame
    points += np.maximum(reach - points.min(0), 0) - np.maximum(points.max(0) - (_FRAME - reach), 0)
    unit = _SAMPLES * size / _FRAME
    ends = np.cumsum(counts)[:-1]
    image = ink(np.split(points * unit, ends), np.split(radii * unit, ends), _SAMPLES * size, _SAMPLES * size)
    return np.asarray(image.resize((size, size), Image.BILINEAR))[..., None]


def _written(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Points (n, 2) of a digit of height 1 around 0, unsteadily written, slanted, turned and stretched."""
    # The distortion depends on the place only, so that strokes still meet.
    for wavelength, amplitude in ((1.6, 0.05), (0.7, 0.014)):
        for _ in range(2):
            wave = rng.normal(0, 2 * np.pi / wavelength / np.sqrt(2), 2)
            phase = points[:, 0] * wave[0] + points[:, 1] * wave[1] + rng.uniform(0, 2 * np.pi)
            points = points + np.sin(phase)[:, None] * rng.normal(0, amplitude, 2)
    turn, slant, width = rng.normal(0, 0.1), rng.normal(0.12, 0.2), rng.uniform(0.75, 1.25)
    x, y = points[:, 0] * width - slant * points[:, 1], points[:, 1]
    return np.stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y], axis=1)


class DigitsConfig(SizeConfig):
    SIZE = _FRAME


class SyntheticDigits(DrawnSet):
    """Handwritten digits, white on black, made of pen strokes."""

    BUILDER_CONFIGS = [DigitsConfig()]
    LABELS = tuple("0123456789")
    CHANNELS = 1
    draw = staticmethod(render_digit)
