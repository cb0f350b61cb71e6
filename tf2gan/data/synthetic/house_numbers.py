"""`synthetic_house_numbers`: digits of numbers on walls, a stand-in for svhn_cropped without a download."""
import functools
from typing import Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tf2gan.data.synthetic.builder import DrawnSet, SizeConfig, generator
from tf2gan.data.synthetic.strokes import ink, strokes
from tf2gan.data.synthetic.textures import mix, sample, smoothstep

_GLYPH = 96  # height of a drawn glyph in pixels, so that pictures of usual sizes only ever shrink it
_LUMA = np.array([0.3, 0.59, 0.11], np.float32)


def render_house_number(split: str, index: int, size: int = 32) -> np.ndarray:
    """Draws example `index` of a split; the digit in the middle is `index % 10`.

    Args:
      split: "train" or "test".
      index: 0 or more, not bounded by the number of examples of a config.
      size: side of the picture in pixels, at least 16.

    Returns:
      uint8 (size, size, 3). Equal arguments give equal pictures; but for the camera's noise, an index shows the same
      wall at every size.

    Raises:
      ValueError: for another split, a negative index or too small a size.
    """
    rng = generator(2, split, index, size)
    middle = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    x, y = np.meshgrid(middle, middle)  # the frame is [-1, 1] x [-1, 1], y downwards
    wall, number = _wall(rng, x, y, 2 / size)
    cover, shadow = _number(rng, index % 10, size)
    relief = rng.uniform(0.15, 0.6) if rng.random() < 0.4 else 0.0
    image = wall * (1 - relief * shadow)[..., None]
    image = mix(image, number * (1 + 0.12 * rng.uniform(-1, 1) * y)[..., None], cover)
    light = rng.uniform(-0.18, 0.18, 2)
    image = image * (1 + light[0] * x + light[1] * y)[..., None]
    # Weak blur in most pictures, strong blur in the others.
    blur = rng.uniform(0.0, 0.9) if rng.random() < 0.7 else rng.uniform(0.9, 1.5)
    image = Image.fromarray(np.clip(image * 255, 0, 255).astype(np.uint8))
    image = np.asarray(image.filter(ImageFilter.GaussianBlur(blur * size / 32)), np.float32)
    image = image + rng.uniform(1, 7) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def _color(rng: np.random.Generator) -> np.ndarray:
    """A colour (3,), grey and dull ones more often than bright ones."""
    hue, saturation, value = rng.uniform(0, 6), 0.8 * rng.random() ** 2.2, rng.uniform(0.08, 0.97)
    channels = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return (value * (1 - saturation * (1 - channels))).astype(np.float32)


def _wall(rng: np.random.Generator, x, y, pixel: float) -> Tuple[np.ndarray, np.ndarray]:
    """The wall (size, size, 3) and a colour (3,) that can be told from it."""
    color, number, plate = (_color(rng) for _ in range(3))
    contrast = rng.uniform(0.22, 0.6) * rng.choice([-1, 1])
    # The number differs from the wall in lightness by `contrast`, or by its opposite if that is out of range.
    bright = float((color * _LUMA).sum())
    target = bright + (contrast if 0.04 < bright + contrast < 0.97 else -contrast)
    number = np.clip(number + (target - (number * _LUMA).sum()), 0.02, 1)
    kind = rng.choice(["plain", "stucco", "bricks", "boards", "plate"], p=[0.3, 0.25, 0.12, 0.15, 0.18])
    shape = rng.uniform(0, 8, 6)
    fade = mix(color, np.clip(color + rng.normal(0, 0.1, 3), 0, 1).astype(np.float32),
               0.5 + 0.35 * (x * np.cos(shape[0]) + y * np.sin(shape[0])))
    cloud = sample("cloud", x * 0.12 + shape[1], y * 0.12 + shape[2], pixel * 0.12)
    rough = 0.02 + 0.1 * rng.random() * (kind == "stucco")
    wall = fade * (1 + rough * cloud)[..., None]
    period = 0.35 + 0.05 * shape[3]
    row = y / period + shape[4]
    edge = np.minimum(row % 1, 1 - row % 1) * period
    if kind == "bricks":
        column = x / period / 2.2 + 0.5 * (np.floor(row) % 2) + shape[5]
        edge = np.minimum(edge, np.minimum(column % 1, 1 - column % 1) * period * 2.2)
    if kind in ("bricks", "boards"):
        soft = 0.02 + pixel / 2
        wall = wall * (0.72 + 0.28 * smoothstep(0.03 - soft, 0.03 + soft, edge))[..., None]
    if kind == "plate":
        # The number is on the inner part; around it, any colour.
        reach = np.array([0.75, 0.72]) + 0.35 * shape[3:5] / 8
        inside = np.minimum(reach[0] - np.abs(x), reach[1] - np.abs(y))
        wall = mix(plate * (1 + 0.06 * cloud)[..., None], wall, smoothstep(-pixel / 2, pixel / 2, inside))
    return wall, number.astype(np.float32)


@functools.lru_cache(maxsize=None)
def _glyph(digit: int, weight: int) -> Image.Image:
    """A printed digit, white on black, cropped to its edges; weights 0..2 are a font's, 3..5 a round pen's."""
    if weight < 3:
        font = ImageFont.load_default(size=_GLYPH * 4 // 3)
        bold = (0, 3, 7)[weight]
        image = Image.new("L", (2 * _GLYPH, 3 * _GLYPH))
        ImageDraw.Draw(image).text((_GLYPH // 2, _GLYPH // 2), str(digit), fill=255, font=font, stroke_width=bold)
    else:
        radius = (5, 8, 11)[weight - 3]
        lines = [line * (_GLYPH - 2 * radius) + 2 * radius for line in strokes(digit, 0)]
        image = ink(lines, [np.full(len(line), radius) for line in lines], 2 * _GLYPH, 2 * _GLYPH)
    image = image.crop(image.getbbox())
    return image.resize((round(image.width * _GLYPH / image.height), _GLYPH), Image.BILINEAR)


def _number(rng: np.random.Generator, digit: int, size: int) -> Tuple[np.ndarray, np.ndarray]:
    """How much of each pixel the digits cover, and how much their shadow does, both (size, size) in 0..1."""
    weight, gap = int(rng.integers(6)), rng.uniform(0.1, 0.3) * _GLYPH
    before, after = (_glyph(other, weight) for other in rng.integers(0, 10, 2).tolist())
    glyph, (has_before, has_after) = _glyph(digit, weight), rng.random(2) < 0.65
    row = Image.new("L", (6 * _GLYPH, _GLYPH + 2))  # a dark pixel above and below, or edges would not be smooth
    left = (row.width - glyph.width) / 2
    row.paste(glyph, (int(left), 1))
    if has_before:
        row.paste(before, (int(left - gap - before.width), 1))
    if has_after:
        row.paste(after, (int(left + glyph.width + gap), 1))
    height, width = rng.uniform(0.62, 0.95), rng.uniform(0.85, 1.2)
    turn, slant = rng.normal(0, 0.07), rng.normal(0, 0.1)
    # Maps the frame to the row of digits: the inverse of the camera's transform, perspective last.
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    linear = np.array([[1 / width, slant], [0, 1]]) @ turned * (_GLYPH / 2 / height)
    tilt, middle = rng.uniform(-0.12, 0.12, 2), rng.uniform(-0.09, 0.09, 2)
    drop = rng.uniform(0.03, 0.09) * np.array([rng.choice([-1, 1]), 1])
    return _seen(row, linear, middle, tilt, size), _seen(row, linear, middle + drop, tilt, size)


def _seen(row: Image.Image, linear: np.ndarray, middle: np.ndarray, tilt: np.ndarray, size: int) -> np.ndarray:
    """`row` with its middle at a point of the frame, (size, size) in 0..1."""
    to_row = np.array([[1, 0, row.width / 2], [0, 1, row.height / 2], [0, 0, 1]])
    to_row = to_row @ np.block([[linear, np.zeros((2, 1))], [tilt[None], np.ones((1, 1))]])
    to_row = to_row @ np.array([[1 / size, 0, -1 - middle[0]], [0, 1 / size, -1 - middle[1]], [0, 0, 1]])
    values = (to_row / to_row[2, 2]).ravel()[:8].tolist()
    image = row.transform((2 * size, 2 * size), Image.PERSPECTIVE, values, Image.BILINEAR).reduce(2)
    return np.asarray(image, np.float32) / 255


class SyntheticHouseNumbers(DrawnSet):
    """The digit in the middle of a house number, in colour, its neighbours partly in sight."""

    BUILDER_CONFIGS = [SizeConfig()]
    LABELS = tuple("0123456789")
    draw = staticmethod(render_house_number)
