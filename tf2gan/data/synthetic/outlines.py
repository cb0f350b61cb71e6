"""`synthetic_outlines`: outlines of fruit (A), and fruit of any colour (B), for translations with many right answers.

An outline tells everything of its fruit but the colour: hue, saturation and brightness are drawn, uniformly, apart from
the shape. Light, ground, stem and leaf are the same in all pictures. So of one outline, all pictures that differ in
colour alone are right, and how much they differ is known.
"""
from typing import NamedTuple

import numpy as np

from tf2gan.data.synthetic.builder import DrawnSet, SizeConfig, generator
from tf2gan.data.synthetic.shapes import any_color
from tf2gan.data.synthetic.textures import SEED, mix, smoothstep, unit

_NUMBER = 5  # of this set's stream of random numbers
_GROUND, _INK = np.float32([0.93, 0.92, 0.90]), np.float32([0.12, 0.12, 0.14])
_STEM, _LEAF = np.float32([0.36, 0.25, 0.15]), np.float32([0.30, 0.52, 0.20])
_LIGHT = unit([-0.45, 0.55, 0.7])
_SATURATION, _VALUE = (0.35, 0.95), (0.35, 0.95)
_SAMPLES = 3  # a pixel, each way
_STROKE = 0.022  # half the width of a line; the frame is 2 wide


class _Drawing(NamedTuple):
    """Where the parts are, at sample resolution: signed distances, below 0 inside, and the body's normals."""
    body: np.ndarray
    stem: np.ndarray
    leaf: np.ndarray
    normals: np.ndarray  # (..., 3)
    crease: np.ndarray  # 0..1: how deep in the dimple around the stem


def render_outline(split: str, index: int, size: int = 64) -> np.ndarray:
    """Draws the outline of fruit `index` of a split; arguments, result and errors as for `render_fruit`."""
    return _pixels(_outline(_drawing(generator(_NUMBER, split, index, size), size)))


def render_fruit(split: str, index: int, size: int = 64, answer: int = 0) -> np.ndarray:
    """Draws fruit `index` of a split, as its outline shows it.

    Args:
      split: "train" or "test".
      index: 0 or more, not bounded by the number of examples of a config.
      size: side of the picture in pixels, at least 16.
      answer: number, from 0 on, of one of the colours that are right for the outline; 0 is that of the data set.

    Returns:
      uint8 (size, size, 3). Equal arguments give equal pictures.

    Raises:
      ValueError: for another split, a negative index or answer, or too small a size.
    """
    if answer < 0:
        raise ValueError(f"answer must be 0 or more, not {answer}")
    drawing = _drawing(generator(_NUMBER, split, index, size), size)
    # Where shapes have a 0 as their last number.
    rng = np.random.default_rng([SEED, _NUMBER, DrawnSet.SPLITS.index(split), index, 1 + answer])
    return _pixels(_painted(drawing, any_color(rng, _SATURATION, _VALUE)))


def _drawing(rng: np.random.Generator, size: int) -> _Drawing:
    axis = (np.arange(size * _SAMPLES, dtype=np.float32) + 0.5) * (2 / size / _SAMPLES) - 1
    x, y = np.meshgrid(axis, -axis)
    scale, turn, place = rng.uniform(0.5, 0.68), rng.uniform(-0.45, 0.45), rng.uniform(-0.16, 0.16, 2)
    cosine, sine = np.cos(turn), np.sin(turn)
    x, y = (x - place[0]) / scale, (y - place[1] + 0.06) / scale
    x, y = x * cosine + y * sine, y * cosine - x * sine
    # Radius over the angle from the stem: apples, pears, plums, lemons and all between.
    neck, squash, dimple, tip, bulge = (rng.uniform(*span) for span in
                                        ((0, 0.32), (-0.12, 0.14), (0, 0.3), (0, 0.12), (-0.06, 0.06)))
    angle, far = np.arctan2(x, y), np.hypot(x, y)

    def radius_at(angle):
        up = np.cos(angle)
        return (0.92 - neck * np.maximum(up, 0) ** 2 * (1 - 0.45 * up) * (dimple < 0.12) - squash * up * up
                - dimple * np.exp(-(np.abs(angle) / 0.38) ** 1.5) + tip * np.exp(-((np.pi - np.abs(angle)) / 0.3) ** 2)
                + bulge * np.cos(3 * angle))

    radius = radius_at(angle)
    body = (far - radius) * scale * 0.94  # radii change along the outline: the distance is a little less
    inside = np.clip(far / np.maximum(radius, 1e-3), 0, 1)
    depth = np.sqrt(np.maximum(1 - inside ** 2, 1e-4))
    normals = np.stack([inside * np.sin(angle) * cosine - inside * np.cos(angle) * sine,
                        inside * np.sin(angle) * sine + inside * np.cos(angle) * cosine, depth], -1)
    crease = np.exp(-((far - 0.55 * radius) ** 2 * 14 + angle ** 2 * 5)) * min(dimple * 3, 1)
    foot, length, bend = float(radius_at(np.float32(0))) - 0.06, rng.uniform(0.22, 0.42), rng.uniform(-0.8, 0.8)
    along = (y - foot) / length
    stem = np.maximum(np.abs(x - bend * length * along ** 2) - 0.05 - 0.03 * np.clip(along, 0, 1),
                      np.maximum(-along, along - 1) * length) * scale
    return _Drawing(body, stem, _leaf(rng, x, y, foot, scale), normals, crease)


def _leaf(rng: np.random.Generator, x, y, foot: float, scale: float) -> np.ndarray:
    has_leaf, side, lift, length = rng.random() < 0.6, rng.choice([-1, 1]), rng.uniform(0.1, 0.8), rng.uniform(0.4, 0.7)
    if not has_leaf:
        return np.ones_like(x)
    x, y = x * side / length, (y - foot - 0.08) / length
    along, across = x * np.cos(lift) + y * np.sin(lift), y * np.cos(lift) - x * np.sin(lift)
    half = 0.24 * np.sin(np.pi * np.clip(along, 0, 1) ** 0.8)
    return np.maximum(np.abs(across) - half, np.maximum(-along, along - 1)) * length * scale


def _outline(drawing: _Drawing) -> np.ndarray:
    # What lies in front hides the lines behind: the leaf is before the stem, the stem before the body.
    image = np.broadcast_to(np.float32(1), (*drawing.body.shape, 3))
    for part in (drawing.body, drawing.stem, drawing.leaf):
        image = mix(image, np.float32(1), part < 0)
        image = mix(image, _INK, np.abs(part) < _STROKE)
    return image


def _painted(drawing: _Drawing, color: np.ndarray) -> np.ndarray:
    image = np.broadcast_to(_GROUND, (*drawing.body.shape, 3))
    facing = np.maximum(drawing.normals @ _LIGHT, 0)
    mirrored = np.maximum(drawing.normals @ unit(_LIGHT + np.float32([0, 0, 1])), 0)
    light = (0.35 + 0.75 * facing) * (1 - 0.35 * drawing.crease)
    body = np.float32(color) * light[..., None] + (0.35 * mirrored ** 40)[..., None]
    image = mix(image, body, drawing.body < 0)
    image = mix(image, _STEM, drawing.stem < 0)
    return mix(image, _LEAF * (0.85 + 0.3 * smoothstep(-0.1, 0.0, drawing.leaf))[..., None], drawing.leaf < 0)


def _pixels(samples: np.ndarray) -> np.ndarray:
    size = len(samples) // _SAMPLES
    image = samples.reshape(size, _SAMPLES, size, _SAMPLES, 3).mean((1, 3))
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)


class OutlinesConfig(SizeConfig):
    SIZE, NUM_TRAIN, NUM_TEST = 64, 2000, 200


class SyntheticOutlines(DrawnSet):
    """Outlines of fruit (A), and fruit of any colour (B): no fruit of a split is that of an outline."""

    BUILDER_CONFIGS = [OutlinesConfig()]
    SPLITS, LABELS = ("trainA", "trainB", "testA", "testB"), ("A", "B")

    @staticmethod
    def draw(split: str, index: int, size: int) -> np.ndarray:
        kind, position = split[:-1], outlines_index(split, index)
        return (render_outline if split[-1] == "A" else render_fruit)(kind, position, size)

    def label(self, split: str, index: int) -> str:
        return split[-1]


def outlines_index(split: str, index: int) -> int:
    """The number of the shape of example `index` of a split of SyntheticOutlines: even in A, odd in B."""
    return 2 * index + (split[-1] == "B")
