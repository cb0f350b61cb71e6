"""Fruits: their shape, the skin of apples and oranges, and the painting of bodies, stems and leaves."""
from typing import NamedTuple

import numpy as np

from tf2gan.data.synthetic.canvas import Canvas
from tf2gan.data.synthetic.scene import Fruit, Leaf, Scene, blocked
from tf2gan.data.synthetic.textures import dot, mix, rgb, sample, smoothstep, unit


class Profile(NamedTuple):
    """Radius over u = cosine of the angle from the stem: 1 + taper u - squash u^2 - a dimple at either pole."""
    taper: float
    squash: float
    top: float  # depth of the dimple
    top_start: float  # u at which it starts
    bottom: float
    bottom_start: float
    bulge: float  # times the squared cosine from the lobe

    def radius(self, u, v):
        top = np.maximum(u - self.top_start, 0) / (1 - self.top_start)
        bottom = np.maximum(-u - self.bottom_start, 0) / (1 - self.bottom_start)
        return (1 + self.taper * u - self.squash * u * u - self.top * top * top - self.bottom * bottom * bottom
                + self.bulge * v * v)

    def slope(self, u):
        top = np.maximum(u - self.top_start, 0) / (1 - self.top_start) ** 2
        bottom = np.maximum(-u - self.bottom_start, 0) / (1 - self.bottom_start) ** 2
        return self.taper - 2 * self.squash * u - 2 * self.top * top + 2 * self.bottom * bottom


def draw_profile(apple: bool, rng: np.random.Generator) -> Profile:
    shape = rng.random(5).tolist()
    if apple:
        return Profile(0.05 + 0.06 * shape[0], 0.02 + 0.05 * shape[1], 0.38 + 0.1 * shape[2], 0.66,
                       0.12 + 0.1 * shape[3], 0.75, 0.05 * shape[4])
    return Profile(0.02 * shape[0], 0.05 * shape[1], 0.04 + 0.04 * shape[2], 0.8, 0.03 * shape[3], 0.9,
                   0.04 * shape[4])


def settled(fruit: Fruit, profile: Profile, up: np.ndarray) -> Fruit:
    """The fruit, let down until its profile touches the table that its sphere touched."""
    angle = np.linspace(0, np.pi, 64)
    upright = -float(dot(fruit.axis, up))
    lowest = (profile.radius(np.cos(angle), 0.0)
              * (np.cos(angle) * upright + np.sin(angle) * np.sqrt(max(1 - upright ** 2, 0)))).max()
    drop = ((1 - lowest) * fruit.radius * up).astype(np.float32)
    leaf = fruit.leaf and fruit.leaf._replace(base=fruit.leaf.base - drop[:2])
    return fruit._replace(center=fruit.center - drop, leaf=leaf)


class _Surface(NamedTuple):
    """Visible points of a fruit, in units of its radius; flat arrays."""
    u: np.ndarray  # cosine of the angle from the stem
    v: np.ndarray  # cosine of the angle from the lobe
    turn: np.ndarray  # angle around the axis in turns, -0.5 to 0.5
    map_x: np.ndarray  # equal-area map of the side that is seen, so that texture has one scale everywhere
    map_y: np.ndarray
    step: float  # distance of neighbouring samples


def _apple_skin(rng: np.random.Generator, surface: _Surface):
    """Linear albedo (n, 3), slopes of the relief (two, None if smooth) and (gloss, exponent) of an apple."""
    kind = rng.choice(3, p=[0.7, 0.18, 0.12])  # red, red and yellow, green
    offset, streaking, freckles = rng.uniform(0, 8, 6).tolist(), rng.uniform(0.2, 0.7), rng.uniform(0, 0.4)
    red = rgb(*rng.uniform([150, 8, 16], [200, 34, 34]))
    yellow = rgb(*rng.uniform([215, 165, 50], [235, 195, 85]))
    green = rgb(*rng.uniform([120, 160, 30], [165, 190, 65]))
    level, blend = (rng.uniform(1.8, 3.0), rng.uniform(-0.3, 0.7), -3.0)[kind], (rng.random(), 0.15, 1)[kind]
    streak = sample("cloud", surface.turn * 7 + offset[0], np.arccos(surface.u) * 0.07 + offset[1], surface.step * 0.6)
    patch = sample("cloud", surface.map_x * 0.2 + offset[2], surface.map_y * 0.2 + offset[3], surface.step * 0.2)
    blush = smoothstep(-0.9, 1.3, level + 0.45 * patch + streaking * streak + 0.9 * surface.v
                       - 1.2 * np.maximum(surface.u - 0.75, 0) * 4)
    albedo = mix(mix(yellow, green, np.full_like(blush, blend)), red, blush)
    albedo = albedo * (1 + 0.1 * patch - 0.2 * streaking * blush * streak)[:, None]
    dot_scale = rng.uniform(0.65, 0.95)
    dots = sample("dots", surface.map_x * dot_scale + offset[4], surface.map_y * dot_scale + offset[5],
                  surface.step * dot_scale)
    albedo = mix(albedo, rgb(232, 200, 140), dots * freckles)
    albedo = mix(albedo, rgb(120, 105, 45), 0.75 * smoothstep(0.86, 1, surface.u + 0.012 * streak))
    albedo = mix(albedo, rgb(45, 32, 20),
                 smoothstep(0.975, 0.995, -surface.u + 0.01 * np.cos(surface.turn * 10 * np.pi)))
    return np.maximum(albedo, 0.004), None, (rng.uniform(0.35, 0.7), rng.uniform(45, 110))


def _orange_skin(rng: np.random.Generator, surface: _Surface):
    """As `_apple_skin`, of an orange."""
    offset, bump, ripe = rng.uniform(0, 8, 4).tolist(), rng.uniform(0.025, 0.055), rng.random()
    base = rgb(*(np.array([232, 104, 8]) + rng.random() * np.array([18, 48, 14])))
    patch = sample("cloud", surface.map_x * 0.2 + offset[2], surface.map_y * 0.2 + offset[3], surface.step * 0.2)
    albedo = mix(base, rgb(188, 150, 24), smoothstep(0.6, 3.4, patch + surface.u + (0.2 if ripe < 0.2 else -0.5)))
    where, footprint = [surface.map_x * 0.85 + offset[0], surface.map_y * 0.85 + offset[1]], surface.step * 0.85
    height = sample("pores", *where, footprint)
    slopes = [(sample("pores", where[0] + shift, where[1] + 0.004 - shift, footprint) - height) * bump * 4
              for shift in (0.004, 0)]
    albedo = albedo * (1 + 0.06 * height + 0.05 * patch)[:, None]
    rays = np.cos(surface.turn * 10 * np.pi)
    angle, below = np.arccos(surface.u), np.arccos(-surface.u)
    albedo = albedo * (1 - 0.3 * smoothstep(0.3, 0.1, angle) - 0.35 * smoothstep(0.22, 0.06, below))[:, None]
    albedo = mix(albedo, rgb(112, 124, 48), smoothstep(0.03, -0.03, angle - 0.12 - 0.05 * rays))
    albedo = mix(albedo, rgb(196, 180, 120), smoothstep(0.055, 0.035, angle))
    albedo = mix(albedo, rgb(110, 66, 22), 0.8 * smoothstep(0.02, -0.02, np.abs(below - 0.07) - 0.015))
    return np.maximum(albedo, 0.004), slopes, (rng.uniform(0.2, 0.4), rng.uniform(16, 34))


def _leaf_mask(leaf: Leaf, x, y, edge: float):
    """Cover (0..1) of a leaf, and the coordinates along and across it relative to its length."""
    x, y = (x - leaf.base[0]) / leaf.length, (y - leaf.base[1]) / leaf.length
    along, across = x * leaf.direction[0] + y * leaf.direction[1], y * leaf.direction[0] - x * leaf.direction[1]
    across = across - leaf.bend * along * along
    inside = np.clip(along, 0, 1)
    half = leaf.width * np.sin(np.pi * inside ** 0.8) * (1 - 0.35 * inside)
    half = np.where((along > -0.12) & (along < 0.2), np.maximum(half, np.float32(0.018)), half)
    return np.clip(0.5 + (half - np.abs(across)) * leaf.length / edge, 0, 1) * (half > 0), along, across


def draw_stem(canvas: Canvas, scene: Scene, fruit: Fruit, profile: Profile, length: float, bend: float) -> None:
    flat = max(float(np.hypot(*fruit.axis[:2])), 0.15)
    direction = unit(fruit.axis[:2] + 0.02)
    foot = float(profile.radius(1.0, 0.0))
    # The near rim of the dimple hides the foot of the stem.
    start = max(foot, 0.66 - 0.42 * float(fruit.axis[2]) / flat) * flat
    end = (foot + length) * flat
    if end <= start:
        return
    middle = fruit.center[:2] + direction * ((start + end) / 2 * fruit.radius)
    box = canvas.box(middle, (end - start + 0.1) * fruit.radius)
    if box is None:
        return
    x, y = (box[1] - fruit.center[0]) / fruit.radius, (box[2] - fruit.center[1]) / fruit.radius
    along = x * direction[0] + y * direction[1]
    across = y * direction[0] - x * direction[1] - bend * (along - start) ** 2
    half = 0.026 + 0.02 * np.clip((along - start) / (end - start), 0, 1) ** 3
    cover = ((np.abs(across) < half) & (along > start) & (along < end)).astype(np.float32)
    side = np.clip(across / half, -1, 1) * np.sign(direction[0] * scene.light[1] - direction[1] * scene.light[0] + 1e-6)
    color = rgb(104, 74, 44) * (0.55 + 0.45 * side)[..., None] * (scene.light_color + scene.sky)
    canvas.over(box[0], cover, color, fruit=True)


def draw_leaf(canvas: Canvas, scene: Scene, leaf: Leaf) -> None:
    box = canvas.box(leaf.base, leaf.length * 1.25)
    if box is None:
        return
    cover, along, across = _leaf_mask(leaf, box[1], box[2], 1 / canvas.size)
    veins = np.sin((along * 9 - np.abs(across) * 8) * 2 * np.pi)
    lit = 0.8 + 0.25 * np.sign(across) * np.tanh(np.abs(across) * 40) - 0.4 * along * leaf.bend + 0.05 * veins
    color = mix(leaf.color * np.ones((1, 1, 3), np.float32), rgb(165, 185, 95), 0.5 * np.exp(-(across / 0.014) ** 2))
    color = color + 0.05 * np.exp(-((along - 0.45) ** 2 / 0.03 + (across - 0.1) ** 2 / 0.004))[..., None]
    canvas.over(box[0], cover, color * lit[..., None] * (0.8 * scene.light_color + scene.sky))


def draw_body(canvas: Canvas, rng: np.random.Generator, scene: Scene, fruit: Fruit, profile: Profile,
              bounce: np.ndarray, apple: bool) -> None:
    box = canvas.box(fruit.center, fruit.radius * 1.12)
    if box is None:
        return
    all_x, all_y = (box[1] - fruit.center[0]) / fruit.radius, (box[2] - fruit.center[1]) / fruit.radius
    inside = np.flatnonzero(all_x * all_x + all_y * all_y < 1.12 ** 2)
    x, y = all_x.ravel()[inside], all_y.ravel()[inside]
    z = np.sqrt(1.12 ** 2 - x * x - y * y)
    searching = np.arange(len(x))
    # Most rays arrive soon; those that graze the rim of a dimple take many more steps.
    for steps in (6, 8, 14):
        near_x, near_y, near_z = x[searching], y[searching], z[searching]
        for _ in range(steps):
            rho = np.sqrt(near_x * near_x + near_y * near_y + near_z * near_z)
            u = dot(fruit.axis, (near_x, near_y, near_z)) / rho
            v = dot(fruit.lobe, (near_x, near_y, near_z)) / rho
            gap = rho - profile.radius(u, v)
            near_z = near_z - 0.8 * gap
        z[searching] = near_z
        searching = searching[(gap > 0.005) & (near_z > -1)]
    rho = np.sqrt(x * x + y * y + z * z)
    u, v = (dot(way, (x, y, z)) / rho for way in (fruit.axis, fruit.lobe))
    hit = rho - profile.radius(u, v) < 0.012
    inside, x, y, z, rho, u, v = (array[hit] for array in (inside, x, y, z, rho, u, v))
    if not len(inside):
        return
    u, v = np.clip(u, -1, 1), np.clip(v, -1, 1)
    ray = np.stack([x, y, z]) / rho
    normal = ray - (profile.slope(u) * (fruit.axis[:, None] - u * ray)
                    + 2 * profile.bulge * v * (fruit.lobe[:, None] - v * ray)) / rho
    side = unit(np.cross(fruit.axis, fruit.lobe))
    turn = np.arctan2(dot(side, ray), dot(np.cross(fruit.axis, side), ray)) / (2 * np.pi)
    stretch = np.sqrt(2 / np.maximum(1 + ray[2], 0.3))
    step = 2 / canvas.size / canvas.samples / fruit.radius
    skin = _apple_skin if apple else _orange_skin
    albedo, slopes, (gloss, exponent) = skin(rng, _Surface(u, v, turn, ray[0] * stretch, ray[1] * stretch, step))
    normal = normal / np.sqrt((normal * normal).sum(0))
    relief = normal
    if slopes is not None:
        relief = normal - np.stack([slopes[0], slopes[1], np.zeros_like(u)])
        relief = relief / np.sqrt((relief * relief).sum(0))
    points = np.stack([x, y, z]) * fruit.radius + fruit.center[:, None]
    lit, open_sky = blocked(points, normal, [other for other in scene.fruits if other is not fruit], scene.light)
    if fruit.leaf is not None:
        shift = 0.12 * fruit.radius
        lit = lit * (1 - 0.65 * _leaf_mask(fruit.leaf, points[0] + shift * scene.light[0],
                                           points[1] + shift * scene.light[1], 0.08 * fruit.radius)[0])
    dimple = 1 - 0.55 * min(profile.top * 3, 1) * smoothstep(profile.top_start, 1, u)
    facing, upward = dot(scene.light, relief), dot(scene.up, normal)
    height = dot(scene.up, (x, y, z)) + 1
    sky = open_sky * dimple * (0.5 + 0.5 * upward)
    back = (0.5 - 0.5 * upward) * smoothstep(-0.1, 0.9, height) * open_sky
    diffuse = np.maximum((facing + 0.15) / 1.15, 0) * lit * (0.5 + 0.5 * dimple)
    color = albedo.T * (diffuse * scene.light_color[:, None] + sky * scene.sky[:, None] + 0.7 * back * bounce[:, None])
    mirrored = np.maximum(dot(unit(scene.light + np.array([0, 0, 1])), relief), 0)
    # A light above the stem is mirrored all around the shoulder, in a ring that looks artificial at full strength.
    shoulder = 1 - min(profile.top * 1.5, 1) * smoothstep(0.5, 0.75, u)
    shine = (gloss * mirrored ** exponent * dimple * shoulder + 0.06 * mirrored ** 6) * lit
    rim = 0.12 * (1 - np.clip(normal[2], 0, 1)) ** 3 * sky
    color = color + shine * scene.light_color[:, None] + rim * scene.sky[:, None]
    cover, layer = np.zeros(all_x.size, np.float32), np.zeros((all_x.size, 3), np.float32)
    cover[inside], layer[inside] = 1, color.T
    canvas.over(box[0], cover.reshape(all_x.shape), layer.reshape(*all_x.shape, 3), fruit=True)
