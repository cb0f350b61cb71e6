"""`render_scene`: the picture of a (split, index) at a size.

Every picture is a pure function of (split, index): the same index shows the same scene at every size. Colours are
computed in linear light and gamma-encoded last.
"""
from typing import Tuple

import numpy as np

from tf2gan.data.synthetic.canvas import Canvas
from tf2gan.data.synthetic.fruit import draw_body, draw_leaf, draw_profile, draw_stem, settled
from tf2gan.data.synthetic.scene import background, draw_scene
from tf2gan.data.synthetic.textures import GAMMA, SEED

SPLITS = ("trainA", "trainB", "testA", "testB")
MIN_SIZE = 32


def render_scene(split: str, index: int, size: int) -> Tuple[np.ndarray, np.ndarray]:
    """Draws example `index` of a split.

    Args:
      split: "trainA", "trainB", "testA" or "testB"; A are apples, B oranges.
      index: 0 or more, not bounded by the number of examples of a config.
      size: side of the picture in pixels, at least 32.

    Returns:
      The picture, uint8 (size, size, 3) in sRGB, and how much of each pixel fruit (without leaves) covers, float32
      (size, size) in 0..1. Equal arguments give equal arrays.

    Raises:
      ValueError: for another split, a negative index or too small a size.
    """
    if split not in SPLITS or index < 0 or size < MIN_SIZE:
        raise ValueError(f"no picture of split {split!r}, index {index}, size {size}: splits are {', '.join(SPLITS)}, "
                         f"indices start at 0, sizes at {MIN_SIZE}")
    # Only the last draw from this generator, the sensor's noise, may depend on the size.
    rng = np.random.default_rng([SEED, SPLITS.index(split), index])
    scene = draw_scene(rng)
    # One generator for each fruit: one outside the frame draws no skin, and the others must not notice.
    generators = [np.random.default_rng([SEED, SPLITS.index(split), index, number]) for number in range(4)]
    apple = split.endswith("A")
    profiles = [draw_profile(apple, generator) for _, generator in zip(scene.fruits, generators)]
    scene = scene._replace(fruits=[settled(*pair, scene.up) for pair in zip(scene.fruits, profiles)])
    canvas = Canvas(size)
    x, y = np.meshgrid(canvas.axis(0, size, 1), -canvas.axis(0, size, 1))
    canvas.image[:], bounce = background(rng, scene, x, y, 2 / size)
    for fruit, profile, generator in zip(scene.fruits, profiles, generators):
        stem = (canvas, scene, fruit, profile, generator.uniform(0.2, 0.5), generator.uniform(-0.8, 0.8))
        stem_is_behind = fruit.axis[2] <= -0.05
        if apple and stem_is_behind:
            draw_stem(*stem)
        draw_body(canvas, generator, scene, fruit, profile, bounce, apple)
        if apple and not stem_is_behind:
            draw_stem(*stem)
        if fruit.leaf is not None:
            draw_leaf(canvas, scene, fruit.leaf)
    vignette, noise = rng.uniform(0, 0.18), rng.uniform(0.004, 0.012)
    image = canvas.image * (1 - vignette * (x * x + y * y) / 2)[..., None]
    image = np.clip(image * 1.15 / (1 + 0.15 * image), 0, 1) ** (1 / GAMMA)
    image = image + noise * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8), canvas.fruit
