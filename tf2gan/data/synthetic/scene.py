"""What a scene consists of, and its background: all that apples and oranges have in common.

Scenes live in view space: x right, y up, z towards the viewer, the frame being [-1, 1] x [-1, 1], seen without
perspective.
"""
from typing import List, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tf2gan.data.synthetic.textures import GAMMA, dot, mix, rgb, sample, smoothstep, unit


class Leaf(NamedTuple):
    base: np.ndarray  # (2,) on the screen
    direction: np.ndarray  # (2,) unit length
    length: float
    width: float  # relative to the length
    bend: float
    color: np.ndarray


class Fruit(NamedTuple):
    center: np.ndarray  # (3,)
    radius: float
    axis: np.ndarray  # (3,) unit length, from the middle to the stem
    lobe: np.ndarray  # (3,) direction in which the fruit bulges
    leaf: Optional[Leaf]


class Scene(NamedTuple):
    fruits: List[Fruit]  # back to front
    up: np.ndarray  # (3,) normal of the table
    front: np.ndarray  # (3,) direction on the table towards the viewer
    origin_y: float  # screen height of the table's origin
    light: np.ndarray  # (3,) unit length, towards the light
    light_color: np.ndarray
    sky: np.ndarray
    hanging: bool  # in front of foliage, no table


def draw_scene(rng: np.random.Generator) -> Scene:
    """Everything that both domains draw from the same distribution, except the background's look."""
    hanging = bool(rng.random() < 0.15)
    pitch = np.radians(rng.uniform(18, 55))
    up = np.array([0, np.cos(pitch), np.sin(pitch)], np.float32)
    front = np.array([0, -np.sin(pitch), np.cos(pitch)], np.float32)
    count = rng.choice(4, p=[0.3, 0.3, 0.25, 0.15]) + 1
    largest = (0.72, 0.56, 0.46, 0.42)[count - 1]
    placed = []  # (radius, x, depth towards the viewer)
    for _ in range(count * 30):
        if len(placed) == count:
            break
        radius = largest * rng.uniform(0.68, 1.08)
        spread = 1.1 * count * largest if placed else 0.0
        x, depth = rng.uniform(-0.5, 0.5, 2) * spread * (1, 1.3)
        # On a common table, spheres touch at twice the geometric mean of their radii.
        if all(np.hypot(x - other[1], depth - other[2]) > 2.02 * np.sqrt(radius * other[0]) for other in placed):
            placed.append((radius, x, depth))
    flat = [np.array([x, 0, 0]) + radius * up + depth * front for radius, x, depth in placed]
    shift = (rng.uniform(-0.28, 0.28, 2) - np.mean(flat, axis=0)[:2]).tolist()
    fruits = []
    for (radius, _, _), middle in zip(placed, flat):
        tilt = np.radians(rng.choice([rng.uniform(0, 35), rng.uniform(35, 110)], p=[0.75, 0.25]))
        turn = rng.uniform(0, 2 * np.pi)
        axis = unit(np.cos(tilt) * up + np.sin(tilt) * (np.cos(turn) * np.array([1, 0, 0]) + np.sin(turn) * front))
        center = (middle + np.array([shift[0], shift[1], 0])).astype(np.float32)
        angle = rng.uniform(-0.5, 0.9) + (np.pi if rng.random() < 0.5 else 0)
        direction = np.array([np.cos(angle), np.sin(angle)], np.float32)
        leaf = Leaf(center[:2] + axis[:2] * radius * 0.72, direction, float(radius * rng.uniform(0.6, 0.95)),
                    rng.uniform(0.2, 0.3), rng.uniform(-0.4, 0.4), rgb(*rng.uniform([40, 90, 20], [95, 140, 45])))
        has_leaf = rng.random() < (0.8 if hanging else 0.35) and axis[2] > -0.15
        fruits.append(Fruit(center, float(radius), axis, unit(rng.normal(size=3)), leaf if has_leaf else None))
    azimuth, height = np.radians(rng.uniform(-20, 200)), np.radians(rng.uniform(35, 72))
    light = np.cos(height) * (np.cos(azimuth) * np.array([1, 0, 0]) + np.sin(azimuth) * front) + np.sin(height) * up
    warmth = rng.uniform(-1, 1)
    light_color = np.array([1 + 0.13 * warmth, 1, 1 - 0.2 * warmth]) * rng.uniform(0.85, 1.15)
    sky = np.array([1 - 0.08 * warmth, 1, 1 + 0.12 * warmth]) * rng.uniform(0.3, 0.5)
    fruits.sort(key=lambda fruit: fruit.center[2])
    return Scene(fruits, up, front, shift[1], unit(light), light_color.astype(np.float32),
                 sky.astype(np.float32), hanging)


def blocked(points, normals, fruits, light) -> Tuple[np.ndarray, np.ndarray]:
    """How much light and how much sky (each 0..1) reaches points with normals past `fruits`, taken as spheres."""
    lit = open_sky = np.float32(1)
    for fruit in fruits:
        to_x, to_y, to_z = (fruit.center[i] - points[i] for i in range(3))
        square = to_x * to_x + to_y * to_y + to_z * to_z + 1e-6
        along = to_x * light[0] + to_y * light[1] + to_z * light[2]
        miss = np.sqrt(np.maximum(square - along * along, 0)) / fruit.radius
        penumbra = 0.06 + 0.12 * np.maximum(along, 0) / fruit.radius
        lit = lit * (1 - (1 - smoothstep(0.97 - penumbra, 0.97 + penumbra, miss)) * (along > 0))
        facing = np.maximum(to_x * normals[0] + to_y * normals[1] + to_z * normals[2], 0) / np.sqrt(square)
        open_sky = open_sky * (1 - 0.9 * facing * np.minimum(fruit.radius ** 2 / square, 1))
    return lit, open_sky


def _foliage(rng: np.random.Generator, size: int) -> np.ndarray:
    """Out-of-focus leaves and lights, linear (size, size, 3)."""
    image = Image.new("RGB", (64, 64), tuple(int(c) for c in rng.uniform([25, 45, 15], [60, 85, 40])))
    draw = ImageDraw.Draw(image)
    for x, y, radius, bright, hue in rng.random((70, 5)):
        color = np.array([40 + 110 * hue, 85 + 60 * hue, 30 + 40 * hue]) * (0.45 + 1.1 * bright ** 2)
        radius = 2 + 6 * radius
        draw.ellipse([x * 64 - radius, y * 64 - radius, x * 64 + radius, y * 64 + radius],
                     fill=tuple(int(min(c, 255)) for c in color))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 3))).resize((size, size), Image.BICUBIC)
    return (np.asarray(image, np.float32) / 255) ** GAMMA


def _surface_color(rng: np.random.Generator) -> np.ndarray:
    hue, saturation, value = rng.uniform(0, 6), rng.uniform(0, 0.45), rng.uniform(0.45, 0.95)
    channels = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return rgb(*(255 * value * (1 - saturation * (1 - channels))))


def background(rng: np.random.Generator, scene: Scene, x, y, pixel: float) -> Tuple[np.ndarray, np.ndarray]:
    """Lit background, linear (size, size, 3), and the mean colour that the table reflects, (3,)."""
    leaves = _foliage(rng, len(x))
    kind = rng.choice(["plain", "wood", "checks", "stripes"], p=[0.25, 0.35, 0.2, 0.2])
    first, second, wall_top = (_surface_color(rng) for _ in range(3))
    turn, offset, period = rng.uniform(0, np.pi), rng.uniform(0, 8, 2).tolist(), rng.uniform(0.16, 0.4)
    wall_bottom = wall_top * rng.uniform([0.5, 0.5, 0.5], [1.1, 1.1, 1.1]).astype(np.float32)
    back, wall_kind, softness, tone = rng.uniform(0.1, 1.4), rng.random(), rng.uniform(0.02, 0.06), rng.random()
    if scene.hanging:
        return leaves, leaves.mean((0, 1))
    depth = (y - scene.origin_y) / scene.front[1]
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))
    u, v = x * cosine + depth * sine, depth * cosine - x * sine
    cloud = sample("cloud", u * 0.35 + offset[0], v * 0.35 + offset[1], pixel * 0.5)
    if kind == "wood":
        plank = np.floor(v / period / 1.8)
        u = u + np.sin(plank * 12.9) * 5
        stretched = pixel / -float(scene.front[1])  # one pixel in the depth of the table
        grain = sample("cloud", u * 0.06 + offset[0], v * 0.9 + plank * 0.37, stretched * 0.9)
        fibre = sample("cloud", u * 0.25 + offset[1], v * 4.0, stretched * 3.0)
        rings = np.sin(9 * grain + v * 22)
        gap = np.minimum(v / period / 1.8 - plank, 1 - v / period / 1.8 + plank) * period * 1.8
        dark = rgb(70 + 60 * tone, 42 + 50 * tone, 22 + 38 * tone)
        bright = rgb(150 + 75 * tone, 105 + 85 * tone, 62 + 80 * tone)
        table = mix(dark, bright, np.clip(0.55 + 0.16 * rings + 0.1 * fibre + 0.16 * np.sin(plank * 7.3), 0, 1))
        table = table * (0.45 + 0.55 * smoothstep(0, 0.012 + pixel, gap))[..., None]
    elif kind == "plain":
        table = first * (1 + 0.08 * cloud)[..., None]
    else:
        blur = 2 * pixel / period
        waves = [np.clip(0.5 + (np.abs((w / period) % 1 - 0.5) - 0.25) / blur, 0, 1) for w in (u, v)]
        table = mix(np.maximum(first, 0.55), second * 0.7, (waves[0] + waves[1]) / 2 if kind == "checks" else waves[0])
        table = table * (1 + 0.14 * cloud)[..., None]
    lit, open_sky = blocked((x, y, depth * scene.front[2]), scene.up, scene.fruits, scene.light)
    reach = max(float(dot(scene.up, scene.light)), 0)
    falloff = np.exp(-0.06 * ((x - 2 * scene.light[0]) ** 2 + (y - 1) ** 2))
    table = table * ((lit * reach * falloff)[..., None] * scene.light_color + open_sky[..., None] * scene.sky)
    last = max(float(fruit.center[1] - fruit.radius * scene.up[1]) for fruit in scene.fruits)
    horizon = last - float(scene.front[1]) * (0.45 + back)
    wall = mix(wall_bottom, wall_top, np.clip(0.5 + 0.5 * y + 0.08 * cloud, 0, 1)) * (0.75 * scene.light_color)
    wall = leaves if wall_kind < 0.35 else wall * falloff[..., None]
    bounce = first if kind == "plain" else table.mean((0, 1))
    return mix(table, wall, smoothstep(horizon - softness, horizon + softness, y)), bounce
