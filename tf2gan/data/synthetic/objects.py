"""`synthetic_objects`: ten kinds of simple things, a stand-in for CIFAR-10 without a download."""
import numpy as np

from tf2gan.data.synthetic.builder import DrawnSet, SizeConfig, generator
from tf2gan.data.synthetic.shapes import OBJECTS, Painter, any_color
from tf2gan.data.synthetic.textures import mix, sample, smoothstep, unit

_NAMES = tuple(OBJECTS)
# {backdrop: lowest and highest colour, 0..255, at the top, above the horizon, below it, and at the bottom}
_BACKDROPS = {
    "meadow": [((60, 120, 200), (120, 175, 235)), ((170, 205, 235), (225, 235, 245)),
               ((85, 125, 50), (130, 160, 80)), ((50, 95, 25), (95, 135, 50))],
    "street": [((120, 140, 165), (175, 190, 205)), ((185, 180, 170), (225, 220, 210)),
               ((110, 110, 112), (150, 148, 145)), ((70, 70, 74), (110, 108, 105))],
    "sea": [((70, 130, 205), (135, 180, 235)), ((190, 215, 235), (250, 225, 205)),
            ((50, 110, 160), (90, 150, 185)), ((15, 55, 105), (45, 100, 140))],
    "deep": [((70, 160, 195), (120, 205, 215)), ((40, 120, 165), (70, 155, 185)),
             ((30, 95, 140), (55, 130, 160)), ((10, 45, 85), (40, 85, 110))],
    "night": [((5, 8, 30), (25, 20, 60)), ((25, 25, 70), (70, 50, 110)),
              ((30, 28, 75), (75, 55, 115)), ((60, 40, 90), (130, 80, 120))]}
# {class: (backdrops, height at which it meets the ground or water, largest turn in radians)}; objects are 2 high.
_SEEN = {
    "ball": (("meadow", "street", "room"), -0.92, 0.0), "boat": (("sea",), -0.85, 0.12),
    "car": (("street", "meadow"), -0.58, 0.06), "cone": (("street", "meadow", "room"), -0.9, 0.1),
    "cube": (("meadow", "room"), -0.68, 0.0), "cup": (("room",), -0.88, 0.05), "fish": (("deep", "room"), None, 0.4),
    "house": (("meadow", "street"), -0.8, 0.0), "star": (("night", "room"), None, 0.6),
    "tree": (("meadow", "street"), -0.97, 0.06)}


def render_object(split: str, index: int, size: int = 32) -> np.ndarray:
    """Draws example `index` of a split; its class is number `index % 10` of `SyntheticObjects.LABELS`.

    Args:
      split: "train" or "test".
      index: 0 or more, not bounded by the number of examples of a config.
      size: side of the picture in pixels, at least 16.

    Returns:
      uint8 (size, size, 3). Equal arguments give equal pictures; but for the camera's noise, an index shows the same
      scene at every size.

    Raises:
      ValueError: for another split, a negative index or too small a size.
    """
    rng = generator(3, split, index, size)
    name = _NAMES[index % len(_NAMES)]
    backdrops, foot, most = _SEEN[name]
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size)) - 1
    x, y = np.meshgrid(axis, -axis)  # the frame is [-1, 1] x [-1, 1], y upwards
    horizon = rng.uniform(-0.35, 0.3)
    image = _backdrop(rng, rng.choice(backdrops), horizon, x, y, 2 / size)
    scale, turn, mirrored = rng.uniform(0.55, 0.82), rng.uniform(-most, most), rng.choice([-1, 1])
    light = unit([rng.uniform(0.2, 0.9) * rng.choice([-1, 1]), rng.uniform(0.3, 0.9), rng.uniform(0.6, 1)])
    place = rng.uniform(-1, 1, 2) * (1 - scale)
    if foot is not None:  # below the horizon, as far as the frame has room
        place[1] = max(min(place[1], horizon - 0.12 - foot * scale), scale - 1)
        far = ((x - place[0] + 0.3 * scale * light[0]) / scale) ** 2 \
            + ((y - place[1] - foot * scale) / scale / 0.25) ** 2
        image *= 1 - 0.5 * smoothstep(1.25, 0.2, far)[..., None]
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * [mirrored * scale, scale]
    OBJECTS[name](Painter(image, np.column_stack([turned, place]), light), rng)
    image *= rng.uniform(0.85, 1.1) * (1 + 0.07 * rng.uniform(-1, 1, 3).astype(np.float32))
    image += rng.uniform(0.003, 0.02) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)


def _backdrop(rng: np.random.Generator, kind: str, horizon: float, x, y, pixel: float) -> np.ndarray:
    """What lies behind the object, (size, size, 3) in 0..1."""
    if kind == "room":
        wall, table = (any_color(rng, (0.05, 0.5), (0.4, 0.95)) for _ in range(2))
        colors = np.stack([wall * rng.uniform(0.75, 1), wall, table, table * rng.uniform(0.7, 1)])
    else:
        low, high = np.transpose(_BACKDROPS[kind], (1, 0, 2)) / 255
        colors = low + (high - low) * (0.8 * rng.random((4, 1)) + 0.2 * rng.random((4, 3)))
    colors = colors.astype(np.float32)
    offset, rough = rng.uniform(0, 8, 2), rng.uniform(0.02, 0.07)
    # Clouds above the horizon, grass or waves that grow towards the viewer below it.
    depth = np.maximum(horizon - y, 0) + 0.12
    cloud = sample("cloud", x * 0.1 + offset[0], y * 0.2 + offset[1], pixel * 0.2)
    ground = sample("cloud", x / depth * 0.05 + offset[0], 0.3 * np.log(depth) + offset[1], pixel * 0.2)
    above = mix(colors[1], colors[0], np.clip((y - horizon) / (1 - horizon) + 0.1 * cloud, 0, 1))
    below = mix(colors[2], colors[3], np.clip((horizon - y) / (1 + horizon), 0, 1))
    if kind == "meadow":
        above = mix(above, np.float32(0.97), 0.8 * smoothstep(0.3, 1.8, cloud))
    below = below * (1 + (2.5 if kind in ("meadow", "sea") else 1) * rough * ground)[..., None]
    # In the deep and at night there is no line between above and below.
    soft = 0.6 if kind in ("deep", "night") else pixel / 2
    return mix(below, above, smoothstep(horizon - soft, horizon + soft, y))


class SyntheticObjects(DrawnSet):
    """Ten kinds of simple shaded things, in colour, where they may be found."""

    BUILDER_CONFIGS = [SizeConfig()]
    LABELS = _NAMES
    draw = staticmethod(render_object)
