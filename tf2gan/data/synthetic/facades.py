"""`synthetic_facades`: label maps (A) and the house fronts that they describe (B), pairs without a download.

A stand-in for the facades of Tylecek and Sara (2013) that pix2pix is known by. Example i of A and of B belong together:
both are drawn from one list of parts, which is a pure function of (split, index). Wall, frames, glass and light of a
front are free: the label map does not tell them.
"""
import dataclasses
from typing import List

import numpy as np
from PIL import Image, ImageDraw

from tf2gan.data.synthetic.builder import DrawnSet, SizeConfig, generator
from tf2gan.data.synthetic.textures import mix, sample, smoothstep

_SET = 4  # its number, for the random generator
_SAMPLES = 2  # of a front along one side of a pixel

# {kind of part: its colour in the label map}. The colours are those of the facades in the form that pix2pix had them,
# so that a model of those can draw these. There are no roofs among them; these get the colour of decoration.
LABELS = {"sky": (0, 6, 217), "wall": (13, 61, 251), "window": (0, 117, 255), "sill": (104, 248, 152),
          "cornice": (255, 68, 1), "door": (0, 201, 255), "shop": (165, 0, 0), "balcony": (184, 255, 56),
          "shutter": (238, 237, 40), "pillar": (246, 0, 1), "roof": (255, 146, 4)}


@dataclasses.dataclass(frozen=True)
class Part:
    """A rectangle of a front; 0 is the left or top of the picture, 1 its right or bottom."""

    kind: str
    left: float
    top: float
    right: float
    bottom: float


def layout(split: str, index: int) -> List[Part]:
    """The parts of example `index`, in the order in which they are laid over each other.

    Raises:
      ValueError: for another split than "train" and "test", or a negative index.
    """
    rng = generator(_SET, split, index, SizeConfig.MIN_SIZE)
    left, right = rng.uniform(-0.15, 0.12), rng.uniform(0.88, 1.15)
    top, floors, bays = rng.uniform(0.02, 0.22), int(rng.integers(3, 6)), int(rng.integers(3, 7))
    ground = rng.uniform(0.68, 0.82)  # where the ground floor begins
    parts = [Part("sky", 0, 0, 1, 1), Part("wall", left, top, right, 1)]
    if rng.random() < 0.6:
        parts.append(Part("roof", left - 0.01, max(top - rng.uniform(0.05, 0.12), 0), right + 0.01, top))
    floor, bay = (ground - top) / (floors - 1), (right - left) / bays
    width, height = rng.uniform(0.38, 0.62) * bay, rng.uniform(0.5, 0.72) * floor
    sill, shutters, edge = rng.random() < 0.7, rng.random() < 0.3, rng.uniform(0.012, 0.03)
    balconies = rng.random((floors, bays)) < (0.25 if rng.random() < 0.5 else 0.0)
    if rng.random() < 0.35:
        parts += [Part("pillar", left + number * bay - 0.12 * bay, top, left + number * bay + 0.12 * bay, 1)
                  for number in range(bays + 1)]
    parts.append(Part("cornice", left - 0.02, top, right + 0.02, top + edge))
    lines = rng.random(floors) < 0.5
    for row in range(floors - 1):
        y = top + edge + row * floor
        if row and lines[row]:
            parts.append(Part("cornice", left, y - 0.012, right, y + 0.006))
        for column in range(bays):
            parts += _window(left + (column + 0.5) * bay, y + (floor - height) * 0.55, width, height, sill, shutters,
                             balconies[row, column])
    return parts + [Part("cornice", left, ground - 0.01, right, ground + 0.01)] + _ground(rng, left, bay, bays, ground)


def _window(middle, top, width, height, sill, shutters, balcony):
    left, right, bottom = middle - width / 2, middle + width / 2, top + height
    parts = [Part("window", left, top, right, bottom)]
    if shutters:
        parts += [Part("shutter", left - 0.4 * width, top, left, bottom),
                  Part("shutter", right, top, right + 0.4 * width, bottom)]
    if sill:
        parts.append(Part("sill", left - 0.12 * width, bottom, right + 0.12 * width, bottom + 0.014))
    if balcony:
        parts.append(Part("balcony", left - 0.3 * width, bottom - 0.35 * height, right + 0.3 * width, bottom + 0.015))
    return parts


def _ground(rng, left, bay, bays, ground):
    """Shops, windows and a door at least."""
    seen = [column for column in range(bays) if 0.05 < left + (column + 0.5) * bay < 0.95]
    door, height = int(rng.choice(seen)), 1 - ground
    is_shop, parts = rng.random() < 0.5, []
    for column in range(bays):
        middle = left + (column + 0.5) * bay
        if column == door:
            parts.append(Part("door", middle - 0.28 * bay, ground + 0.22 * height, middle + 0.28 * bay, 1))
        elif is_shop:
            parts.append(Part("shop", middle - 0.44 * bay, ground + 0.18 * height, middle + 0.44 * bay, 0.985))
        else:
            parts.append(Part("window", middle - 0.25 * bay, ground + 0.25 * height, middle + 0.25 * bay,
                              ground + 0.72 * height))
    return parts


def render_labels(split: str, index: int, size: int = 256) -> np.ndarray:
    """The label map of an example, uint8 (size, size, 3): each pixel has the colour of the part that it belongs to."""
    image = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(image)
    for part in layout(split, index):
        box = _pixels(part, size)
        if box is not None:
            draw.rectangle(box, fill=LABELS[part.kind])
    return np.asarray(image)


def _pixels(part, size):
    """The first and last column and row of a part, [left, top, right, bottom]; None if it is less than a pixel."""
    left, top = (int(np.ceil(end * size - 0.5)) for end in (part.left, part.top))
    right, bottom = (int(np.ceil(end * size - 0.5)) - 1 for end in (part.right, part.bottom))
    return None if right < max(left, 0) or bottom < max(top, 0) else [left, top, right, bottom]


def render_facade(split: str, index: int, size: int = 256) -> np.ndarray:
    """The front of an example, uint8 (size, size, 3)."""
    parts = layout(split, index)
    painter = _Painter(np.random.default_rng([*_FRONT, ("train", "test").index(split), index]), size * _SAMPLES)
    for part in parts:
        painter.paint(part)
    image = painter.finished().reshape(size, _SAMPLES, size, _SAMPLES, 3).mean((1, 3))
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)


_FRONT = (20130330, _SET)  # begins the seed of what the label map does not tell


class _Painter:
    """Paints the parts of one front in its materials; colours are in 0..1."""

    def __init__(self, rng, size):
        self.size = size
        middle = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.x, self.y = np.meshgrid(middle, middle)
        hue = rng.uniform(0, 1)  # from pale yellow over pink to grey
        self.wall = np.array([0.86, 0.74 - 0.12 * hue, 0.56 + 0.1 * hue]) * rng.uniform(0.6, 1.05)
        if rng.random() < 0.3:
            self.wall = np.full(3, rng.uniform(0.5, 0.85)) * [1.0, 0.99, 0.96]
        self.trim = np.clip(self.wall * rng.choice([0.75, 1.3]), 0, 0.97)
        self.frame = np.array([0.93, 0.92, 0.88]) if rng.random() < 0.7 else rng.uniform(0.12, 0.4, 3)
        self.wood = np.array([0.38, 0.24, 0.14]) * rng.uniform(0.6, 1.3)
        self.shutter = rng.uniform(0.1, 0.5, 3)
        self.tiles = np.array([0.55, 0.27, 0.19]) * rng.uniform(0.6, 1.2)
        self.glass, self.bars = rng.uniform(0.12, 0.3), int(rng.integers(1, 4))
        self.is_brick, self.light = rng.random() < 0.35, rng.uniform(-0.12, 0.12)
        self.place = rng.uniform(0, 8, 2)
        self.sky = mix(np.array([0.62, 0.75, 0.92]), np.full(3, 0.85), rng.uniform(0, 1))
        self.noise = rng.uniform(0.005, 0.02), rng
        self.image = np.zeros((size, size, 3), np.float32)

    def cloud(self, scale):
        return sample("cloud", self.x * scale + self.place[0], self.y * scale + self.place[1], scale / self.size)

    def paint(self, part):
        box = _pixels(part, self.size)
        if box is None:
            return
        left, top, right, bottom = np.clip(box, 0, self.size - 1)
        where = np.s_[top:bottom + 1, left:right + 1]
        # Places within the part: 0 at its left or top, 1 at its right or bottom.
        u = (self.x[where] - part.left) / (part.right - part.left)
        v = (self.y[where] - part.top) / (part.bottom - part.top)
        if part.kind not in ("sky", "wall", "roof"):
            self._shadow(box)
        self.image[where] = getattr(self, f"_{part.kind}")(u, v, where, part)

    def _shadow(self, box):
        depth = max(1, round(0.006 * self.size))
        left, top, right, bottom = np.clip(np.array(box) + depth, 0, self.size - 1)
        self.image[top:bottom + 1, left:right + 1] *= 0.72

    def _lines(self, position, period, share):
        """1 where a line of `share` of the period is, 0 between them."""
        edge = np.abs(position / period % 1 - 0.5) * 2
        return smoothstep(1 - share - 0.02, 1 - share + 0.02, edge)

    def _sky(self, u, v, where, part):
        return mix(self.sky, np.ones(3), np.clip(0.3 * v + 0.12 * self.cloud(0.3)[where], 0, 1))

    def _wall(self, u, v, where, part):
        color = self.wall * (1 + 0.05 * self.cloud(0.6)[where] + self.light * (u - 0.5))[..., None]
        if not self.is_brick:
            return color * (1 + 0.02 * self.cloud(6.0)[where])[..., None]
        row = self.y[where] / 0.018
        joint = np.maximum(self._lines(self.y[where], 0.018, 0.14),
                           self._lines(self.x[where] + 0.02 * (np.floor(row) % 2), 0.04, 0.07))
        return mix(color * [0.85, 0.62, 0.55], color * 1.05, joint * 0.7)

    def _roof(self, u, v, where, part):
        return self.tiles * (1 - 0.35 * self._lines(self.y[where], 0.014, 0.3)
                             - 0.15 * self._lines(self.x[where], 0.02, 0.2))[..., None]

    def _window(self, u, v, where, part):
        shine = smoothstep(0.0, 1.0, 1 - v + 0.4 * self.cloud(1.5)[where])
        glass = mix(np.full(3, self.glass) * [0.8, 0.95, 1.1], self.sky * 0.8, 0.6 * shine)
        bar = np.maximum(smoothstep(0.42, 0.44, np.abs(u - 0.5)), smoothstep(0.45, 0.46, np.abs(v - 0.5)))
        bar = np.maximum(bar, smoothstep(0.04, 0.03, np.abs(u - 0.5)))
        bar = np.maximum(bar, self._lines(v + 0.5 / self.bars, 1 / self.bars, 0.05))
        return mix(glass, self.frame, bar)

    def _sill(self, u, v, where, part):
        return self.trim * (1.08 - 0.3 * v)[..., None]

    def _cornice(self, u, v, where, part):
        return self.trim * (1.1 - 0.35 * v + 0.1 * np.sin(9 * v))[..., None]

    def _pillar(self, u, v, where, part):
        return self.trim * (0.8 + 0.3 * np.sin(np.pi * np.clip(u, 0, 1)))[..., None]

    def _door(self, u, v, where, part):
        panel = np.maximum(self._lines(u + 0.25, 0.5, 0.14), self._lines(v + 0.2, 0.4, 0.1))
        wood = self.wood * (1 + 0.1 * self.cloud(3.0)[where])[..., None]
        return mix(wood * 0.7, wood * 1.15, panel)

    def _shop(self, u, v, where, part):
        glass = mix(np.array([0.1, 0.11, 0.13]), np.array([0.75, 0.65, 0.45]),
                    np.clip(0.3 + 0.25 * self.cloud(4.0)[where], 0, 1) * smoothstep(0.2, 1.0, v))
        bar = np.maximum(self._lines(u, 0.5, 0.05), smoothstep(0.46, 0.47, np.abs(v - 0.5)))
        return mix(mix(glass, self.frame * 0.8, bar), self.shutter, smoothstep(0.2, 0.19, v))

    def _shutter(self, u, v, where, part):
        return self.shutter * (1.15 - 0.4 * self._lines(v, 0.07, 0.4))[..., None]

    def _balcony(self, u, v, where, part):
        rail = np.maximum(self._lines(u, 0.09, 0.25), smoothstep(0.44, 0.46, np.abs(v - 0.5)))
        slab = smoothstep(0.86, 0.88, v)
        return mix(mix(self.image[where], np.full(3, 0.13), rail), self.trim, slab)

    def finished(self):
        strength, rng = self.noise
        return self.image + strength * rng.standard_normal(self.image.shape, dtype=np.float32)


class FacadesConfig(SizeConfig):
    SIZE, MIN_SIZE, NUM_TRAIN, NUM_TEST = 256, 32, 400, 100


class SyntheticFacades(DrawnSet):
    """Label maps (A) and rendered house fronts (B): example i of both belong together."""

    BUILDER_CONFIGS = [FacadesConfig()]
    SPLITS, LABELS = ("trainA", "trainB", "testA", "testB"), ("A", "B")
    PAIRED = True

    @staticmethod
    def draw(split: str, index: int, size: int) -> np.ndarray:
        return (render_labels if split[-1] == "A" else render_facade)(split[:-1], index, size)

    def label(self, split: str, index: int) -> str:
        return split[-1]
