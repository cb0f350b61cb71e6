"""The ten things of `synthetic_objects`, made of shaded polygons."""
from typing import Callable, Dict, Sequence

import numpy as np
from PIL import Image, ImageDraw

from tf2gan.data.synthetic.strokes import curve
from tf2gan.data.synthetic.textures import mix, smoothstep, unit

_SAMPLES = 4  # of a polygon's mask along one side of a pixel


class Painter:
    """Lays polygons over a picture. They are given in the object's coordinates, x right, y up, about [-1, 1].

    Args:
      image: (size, size, 3) in 0..1, painted on.
      pose: (2, 3), from the object to the frame [-1, 1] x [-1, 1].
      light: (3,), unit length, towards the light; z is towards the viewer.
    """

    def __init__(self, image: np.ndarray, pose: np.ndarray, light: np.ndarray):
        self.image, self.pose = image, pose
        size = len(image)
        middle = ((np.arange(size) + 0.5) * (2 / size) - 1).astype(np.float32)
        x, y = np.meshgrid(middle - pose[0, 2], -middle - pose[1, 2])
        back = np.linalg.inv(pose[:, :2]).astype(np.float32)
        self.x, self.y = back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y  # of pixels, for the object
        scale = np.sqrt(abs(np.linalg.det(pose[:, :2])))
        self.pixel = 2 / size / scale
        self.light = np.append(light[:2] @ pose[:, :2] / scale, light[2])  # in object coordinates

    def polygon(self, points, color, bright=1.0) -> None:
        """Fills a polygon (n, 2) with a colour (3,) or (size, size, 3), times `bright`: a number or (size, size)."""
        size = len(self.image)
        points = np.asarray(points) @ self.pose[:, :2].T + self.pose[:, 2]
        pixels = (points * [1, -1] + 1) * (size / 2)
        left, top = np.clip(np.floor(pixels.min(0)).astype(int), 0, size - 1).tolist()
        right, bottom = np.clip(np.ceil(pixels.max(0)).astype(int), [left + 1, top + 1], size).tolist()
        mask = Image.new("L", (_SAMPLES * (right - left), _SAMPLES * (bottom - top)))
        ImageDraw.Draw(mask).polygon(((pixels - [left, top]) * _SAMPLES - 0.5).ravel().tolist(), fill=255)
        cover = np.asarray(mask.reduce(_SAMPLES), np.float32) / 255
        box = np.s_[top:bottom, left:right]  # most polygons are much smaller than the picture
        color, bright = np.asarray(color, np.float32), np.asarray(bright, np.float32)
        color = (color[box] if color.ndim > 1 else color) * (bright[box][..., None] if bright.ndim else bright)
        self.image[box] = mix(self.image[box], np.minimum(color, 1), cover)

    def lit(self, normal) -> np.ndarray:
        """Brightness of a surface that faces `normal`, three numbers or arrays, of unit length."""
        towards = sum(part * light for part, light in zip(normal, self.light))
        return 0.5 + 0.62 * np.maximum(towards, 0)

    def tube(self, middle: float, radius: float) -> np.ndarray:
        """Brightness of an upright cylinder."""
        u = np.clip((self.x - middle) / radius, -1, 1)
        return self.lit((u, 0, np.sqrt(1 - u * u)))

    def dome(self, x: float, y: float, radius: float) -> np.ndarray:
        """Brightness of a sphere."""
        u, v = (self.x - x) / radius, (self.y - y) / radius
        long = np.sqrt(np.maximum(u * u + v * v, 1))
        u, v = u / long, v / long
        return self.lit((u, v, np.sqrt(np.maximum(1 - u * u - v * v, 0))))


def ellipse(x: float, y: float, width: float, height: float, first=0.0, last=2 * np.pi) -> np.ndarray:
    """Part of an ellipse of half axes `width` and `height`, counted in radians from the right, (n, 2)."""
    angle = np.linspace(first, last, 28)
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], axis=1)


def any_color(rng: np.random.Generator, saturation=(0.5, 0.95), value=(0.55, 0.98)) -> np.ndarray:
    hue, saturation, value = rng.uniform(0, 6), rng.uniform(*saturation), rng.uniform(*value)
    channels = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return value * (1 - saturation * (1 - channels))


def _between(rng: np.random.Generator, first: Sequence, second: Sequence) -> np.ndarray:
    """A colour between two, given in 0..255."""
    first, second = np.array(first), np.array(second)
    return (first + (second - first) * rng.random() + rng.normal(0, 8, 3)).clip(5, 250) / 255


def _solid(painter: Painter, yaw: float, pitch: float, faces) -> None:
    """Paints those `faces`, each (points (n, 3), colour), of a convex solid that face the viewer."""
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turn = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]) @ turn
    for points, color in faces:
        points = np.asarray(points, float) @ turn.T
        normal = unit(np.cross(points[1] - points[0], points[2] - points[1]))
        if normal[2] > 0:
            painter.polygon(points[:, :2], color, float(painter.lit(normal)))


def _ball(painter: Painter, rng: np.random.Generator) -> None:
    first, second = any_color(rng), rng.choice([any_color(rng), [0.95, 0.95, 0.92]])
    axis, side = unit(rng.normal(size=3)), rng.normal(size=3)
    side = unit(np.cross(axis, side))
    normal = [painter.x, painter.y, np.sqrt(np.maximum(1 - painter.x ** 2 - painter.y ** 2, 0))]
    up, right, front = (sum(n * part for n, part in zip(normal, to)) for to in (axis, side, np.cross(axis, side)))
    kind, gores = rng.choice(["gores", "band", "plain"], p=[0.5, 0.3, 0.2]), rng.integers(2, 4)
    wave = {"gores": np.sin(gores * np.arctan2(front, right)) * np.sqrt(np.maximum(1 - up * up, 0)) / gores,
            "band": 0.3 - np.abs(up), "plain": np.full_like(up, -1)}[kind]
    color = mix(first, second, smoothstep(-painter.pixel, painter.pixel, wave))
    painter.polygon(ellipse(0, 0, 1, 1), color, painter.dome(0, 0, 1) * 1.05)
    shine = unit(painter.light + [0, 0, 1])
    painter.polygon(ellipse(shine[0], shine[1], 0.14, 0.11), (1, 1, 1))


def _cube(painter: Painter, rng: np.random.Generator) -> None:
    color, half, inset = any_color(rng), 0.68, rng.choice([0.0, 0.62])
    other = mix(color, 1, 0.7) if rng.random() < 0.5 else any_color(rng)
    faces = []
    for axis in range(3):
        for sign in (-1, 1):
            square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])[::sign] * half
            square = np.roll(np.insert(square, 0, sign * half, axis=1), axis, axis=1)
            faces.append((square, color))
            if inset:
                face = square * inset
                face[:, axis] = sign * half
                faces.append((face, other))
    _solid(painter, rng.uniform(0.3, 1.27), rng.uniform(0.35, 0.7), faces)


def _cone(painter: Painter, rng: np.random.Generator) -> None:
    color, stripe = _between(rng, (240, 80, 10), (250, 130, 30)), np.array([0.96, 0.95, 0.92])
    if rng.random() < 0.4:
        color = any_color(rng)
    width, flat, bright = rng.uniform(0.5, 0.62), rng.uniform(0.2, 0.32), painter.tube(0, 0.6)

    def ring(low, high):  # of the cone, between two heights in 0..1
        a, b = width * (1 - 0.9 * low), width * (1 - 0.9 * high)
        return np.concatenate([ellipse(0, -0.8 + 1.75 * low, a, a * flat, np.pi, 2 * np.pi),
                               ellipse(0, -0.8 + 1.75 * high, b, b * flat, 2 * np.pi, np.pi)])

    base = color * 0.8 if rng.random() < 0.7 else np.full(3, 0.2)
    wide = width * 1.42
    painter.polygon([(-wide, -0.9), (-wide * 0.8, -0.66), (wide * 0.8, -0.66), (wide, -0.9)], base)
    painter.polygon([(-wide, -0.9), (wide, -0.9), (wide, -1), (-wide, -1)], base, 0.7)
    painter.polygon(ring(0, 1), color, bright)
    for low, high in ([(0.25, 0.42), (0.6, 0.76)] if rng.random() < 0.5 else [(0.35, 0.62)]):
        painter.polygon(ring(low, high), stripe, bright)
    painter.polygon(ellipse(0, 0.95, width * 0.1, width * 0.1 * flat), color, 0.5)


def _house(painter: Painter, rng: np.random.Generator) -> None:
    wall = rng.choice([_between(rng, (235, 225, 200), (250, 245, 235)), _between(rng, (190, 110, 80), (150, 70, 60)),
                       any_color(rng, (0.15, 0.45), (0.75, 0.95))])
    roof = _between(rng, (170, 55, 35), (70, 60, 70))
    door, glass = any_color(rng, (0.4, 0.9), (0.3, 0.6)), _between(rng, (70, 100, 130), (150, 200, 235))
    low, w, d, h, top = -0.8, 0.6, rng.uniform(0.5, 0.7), rng.uniform(0.05, 0.2), rng.uniform(0.6, 0.8)
    yaw, out = rng.uniform(0.35, 0.85) * rng.choice([-1, 1]), 0.1
    place = rng.uniform(-0.25, 0.1)

    def front(x, y, wide, high):
        return [(x, y, d), (x + wide, y, d), (x + wide, y + high, d), (x, y + high, d)]

    def sides(points, color):  # the right one as given, and its mirror image
        points = np.array(points)
        return [(points, color), (points[::-1] * [-1, 1, 1], color)]

    faces = [([(-w, low, d), (w, low, d), (w, h, d), (0, top, d), (-w, h, d)], wall),
             (front(place, low, 0.28, 0.58), door), (front(place + 0.36, -0.45, 0.22, 0.26), glass),
             (front(-0.12, h + 0.02, 0.24, 0.24), glass)]
    faces += sides([(w, low, d), (w, low, -d), (w, h, -d), (w, h, d)], wall)
    for z in (-0.6, 0.15):
        faces += sides([(w, -0.45, (z + 0.45) * d), (w, -0.45, z * d), (w, -0.1, z * d), (w, -0.1, (z + 0.45) * d)],
                       glass)
    faces += sides([(w + out, h - out, d + out), (w + out, h - out, -d), (0, top + 0.04, -d),
                    (0, top + 0.04, d + out)], roof)
    if rng.random() < 0.6:
        x = 0.3 * np.sign(yaw) * -1
        painter.polygon([(x, h), (x + 0.16, h), (x + 0.16, top + 0.12), (x, top + 0.12)], roof * 0.8)
    _solid(painter, yaw, rng.uniform(0.1, 0.3), faces)


def _tree(painter: Painter, rng: np.random.Generator) -> None:
    green = _between(rng, (35, 95, 30), (90, 150, 45))
    if rng.random() < 0.15:
        green = _between(rng, (200, 90, 25), (215, 165, 40))  # autumn
    bark, thick = _between(rng, (75, 50, 30), (120, 85, 55)), rng.uniform(0.09, 0.15)
    painter.polygon([(-thick * 1.4, -1), (thick * 1.4, -1), (thick, 0), (-thick, 0)], bark, painter.tube(0, thick * 2))
    if rng.random() < 0.3:  # a fir
        for number, low in enumerate((-0.7, -0.25, 0.2)):
            wide = 0.68 - 0.17 * number + rng.uniform(-0.04, 0.04)
            outline = [(-wide, low), (-wide / 2, low - 0.06), (0, low - 0.1), (wide / 2, low - 0.06), (wide, low),
                       (0, low + 0.85 - 0.03 * number)]
            painter.polygon(outline, green, painter.tube(0, 0.8) * (0.9 + 0.08 * number))
        return
    width, height = rng.uniform(0.45, 0.6), rng.uniform(0.4, 0.55)
    angles = np.arange(7) * 2 * np.pi / 7 + rng.uniform(0, 1, 7)
    clumps = np.stack([width * np.cos(angles), 0.32 + height * np.sin(angles)], axis=1)
    for x, y in np.concatenate([clumps[np.argsort(clumps[:, 1])], [[0, 0.32]]]):
        radius = rng.uniform(0.28, 0.4) * (1.35 if x == 0 else 1)
        shade = 0.6 * painter.dome(x, y, radius) + 0.45 * painter.dome(0, 0.3, 0.95)
        painter.polygon(ellipse(x, y, radius, radius * 0.9), green, shade)


def _car(painter: Painter, rng: np.random.Generator) -> None:
    color, glass = any_color(rng), _between(rng, (60, 80, 100), (165, 200, 225))
    roof, front, rear = rng.uniform(0.42, 0.58), rng.uniform(0.2, 0.42), rng.choice([-0.88, rng.uniform(-0.75, -0.6)])
    hood, bright = rng.uniform(-0.02, 0.1), 0.82 + 0.3 * smoothstep(-0.4, 0.6, painter.y)
    cabin = [(rear, hood), (rear + 0.14, roof - 0.03), (rear + 0.3, roof), (front - 0.2, roof), (front, roof - 0.06),
             (front + 0.32, hood)]
    body = [(-0.97, -0.36), (-0.98, 0), (-0.9, hood + 0.02), (front + 0.3, hood), (0.8, hood - 0.06),
            (0.97, hood - 0.16), (1, -0.36)]
    painter.polygon(cabin, color, bright)
    painter.polygon(body, color, bright)
    split = (rear + front) / 2 + rng.uniform(0, 0.15)
    low, high = hood + 0.02, roof - 0.09
    painter.polygon([(rear + 0.1, low), (rear + 0.2, high), (split - 0.03, high), (split - 0.03, low)], glass)
    painter.polygon([(split + 0.04, low), (split + 0.04, high), (front - 0.05, high), (front + 0.18, low)], glass)
    painter.polygon([(-0.97, -0.27), (0.99, -0.27), (1, -0.38), (-0.97, -0.38)], color * 0.45)
    painter.polygon(ellipse(0.91, hood - 0.2, 0.07, 0.06), (1, 0.96, 0.75))
    painter.polygon([(-0.98, -0.02), (-0.9, -0.02), (-0.9, -0.16), (-0.98, -0.16)], (0.75, 0.08, 0.08))
    for x in (-0.56, 0.58):
        painter.polygon(ellipse(x, -0.36, 0.25, 0.25), (0.09, 0.09, 0.1))
        painter.polygon(ellipse(x, -0.36, 0.11, 0.11), (0.7, 0.7, 0.73))


def _boat(painter: Painter, rng: np.random.Generator) -> None:
    hull = any_color(rng) if rng.random() < 0.7 else _between(rng, (240, 240, 240), (120, 75, 45))
    sail = np.array([0.96, 0.95, 0.9]) if rng.random() < 0.6 else any_color(rng, (0.4, 0.85), (0.8, 0.98))
    mast, top, low = rng.uniform(-0.15, 0.12), rng.uniform(0.85, 1.0), -0.5
    bright = 0.85 + 0.22 * (painter.x - mast) * np.sign(painter.light[0])
    painter.polygon([(mast - 0.03, low), (mast + 0.03, low), (mast + 0.02, top), (mast - 0.02, top)],
                    (0.35, 0.24, 0.15))
    painter.polygon(curve([(mast + 0.05, top - 0.04), (mast + 0.5, 0.25), (0.75, low + 0.14)]).tolist()
                    + [(mast + 0.05, low + 0.14)], sail, bright)
    if rng.random() < 0.75:
        other = sail if rng.random() < 0.6 else any_color(rng)
        jib = [(mast - 0.06, top - 0.2), (mast - 0.06, low + 0.16), (-0.78, low + 0.16)]
        painter.polygon(jib, other, bright * 0.95)
    outline = curve([(-0.95, -0.48), (-0.8, -0.78), (-0.6, -0.92)]).tolist() + [(0.55, -0.92)]
    painter.polygon(outline + curve([(0.6, -0.9), (0.82, -0.75), (1, -0.46)]).tolist(), hull,
                    0.75 + 0.35 * smoothstep(-0.95, -0.45, painter.y))
    painter.polygon([(-0.93, -0.48), (1, -0.46), (0.96, -0.56), (-0.91, -0.57)], mix(hull, 1, 0.65))


def _star(painter: Painter, rng: np.random.Generator) -> None:
    color = _between(rng, (255, 205, 40), (250, 180, 10)) if rng.random() < 0.5 else any_color(rng, value=(0.8, 1))
    inner, faceted = rng.uniform(0.4, 0.5), rng.random() < 0.6
    angle, reach = np.pi / 2 + np.arange(10) * np.pi / 5, np.where(np.arange(10) % 2, inner, 1)
    points = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    painter.polygon(points, color, painter.dome(0, 0, 1.6))
    if faceted:
        for number in range(0, 10, 2):  # the half of each point that the light does not reach
            painter.polygon([(0, 0), points[number], points[number - 1]], color, 0.68)


def _cup(painter: Painter, rng: np.random.Generator) -> None:
    color = any_color(rng) if rng.random() < 0.7 else _between(rng, (245, 245, 240), (225, 220, 205))
    wide, narrow, flat = rng.uniform(0.56, 0.68), rng.uniform(0.42, 0.6), rng.uniform(0.2, 0.34)
    top, low, bright = rng.uniform(0.55, 0.75), -0.8, painter.tube(-0.15, 0.66)
    handle = ellipse(0.36, -0.08, 0.5, 0.5, -1.75, 1.75)
    painter.polygon(np.concatenate([handle, ellipse(0.36, -0.08, 0.3, 0.32, 1.75, -1.75)]), color, 0.8)
    side = np.concatenate([ellipse(-0.15, low, narrow, narrow * flat, np.pi, 2 * np.pi),
                           ellipse(-0.15, top, wide, wide * flat, 2 * np.pi, np.pi)])
    painter.polygon(side, color, bright)
    if rng.random() < 0.45:
        painter.polygon(np.concatenate([ellipse(-0.15, -0.3, wide * 0.93, wide * flat * 0.9, np.pi, 2 * np.pi),
                                        ellipse(-0.15, 0.05, wide * 0.96, wide * flat * 0.9, 2 * np.pi, np.pi)]),
                        any_color(rng), bright)
    painter.polygon(ellipse(-0.15, top, wide, wide * flat), mix(color, 1, 0.35))
    drink = _between(rng, (60, 32, 15), (150, 85, 30))
    painter.polygon(ellipse(-0.15, top - 0.03, wide * 0.85, wide * flat * 0.8), drink)


def _fish(painter: Painter, rng: np.random.Generator) -> None:
    color, fin = any_color(rng, (0.45, 0.95), (0.6, 1)), any_color(rng, (0.5, 0.9), (0.6, 0.95))
    high, tail = rng.uniform(0.38, 0.6), rng.uniform(0.32, 0.5)
    painter.polygon([(-0.45, 0), (-1, tail), (-0.85, 0), (-1, -tail)], fin, 0.9)
    painter.polygon(curve([(0.3, high * 0.7), (0, high + 0.25), (-0.35, high * 0.5 + 0.2), (-0.4, 0)]), fin)
    painter.polygon([(0.15, -high * 0.7), (-0.2, -high - 0.18), (-0.15, -high * 0.6)], fin, 0.85)
    upper = curve([(-0.62, 0.07), (-0.25, high * 0.7), (0.2, high), (0.65, high * 0.75), (0.98, 0)])
    body = np.concatenate([upper, upper[::-1] * [1, -0.95]])
    shade = 0.7 + 0.4 * smoothstep(-high, high, painter.y)
    stripes = rng.integers(0, 4)
    painter.polygon(body, color, shade)
    for number in range(stripes):
        x, half = 0.3 - 0.27 * number, 0.055
        reach = np.interp([x - half, x + half], upper[:, 0], upper[:, 1]) * 0.94
        painter.polygon([(x - half, reach[0]), (x + half, reach[1]), (x + half, -reach[1] * 0.92),
                         (x - half, -reach[0] * 0.92)], mix(fin, 1, 0.5 * (number % 2)), shade)
    painter.polygon(ellipse(0.62, high * 0.22, 0.13, 0.13), (0.97, 0.97, 0.95))
    painter.polygon(ellipse(0.65, high * 0.22, 0.065, 0.065), (0.05, 0.05, 0.08))


# {class: what paints one}, in the order of their labels.
OBJECTS: Dict[str, Callable[[Painter, np.random.Generator], None]] = {
    "ball": _ball, "boat": _boat, "car": _car, "cone": _cone, "cube": _cube, "cup": _cup, "fish": _fish,
    "house": _house, "star": _star, "tree": _tree}
