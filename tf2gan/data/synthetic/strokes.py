"""The ten digits as pen strokes: how people write them, and the pen that draws them."""
import functools
from typing import List, Sequence

import numpy as np
from PIL import Image, ImageDraw

# {digit: ways to write it}; each is a list of strokes, each of points that a smooth curve runs through, so a corner is
# where two strokes meet. x from the left, y from the top, 1 = the height. The first way is also the printed one.
WAYS = {
    0: [[[(.33, 0), (.1, .13), (0, .5), (.11, .87), (.33, 1), (.55, .87), (.66, .5), (.56, .13), (.33, 0)]],
        [[(.42, .03), (.25, .02), (.06, .25), (.01, .6), (.14, .93), (.36, .98), (.57, .75), (.6, .35), (.46, .06),
          (.27, .05)]]],
    1: [[[(.04, .25), (.3, 0)], [(.3, 0), (.3, 1)]],
        [[(.3, 0), (.3, .5), (.28, 1)]],
        [[(.05, .22), (.3, 0)], [(.3, 0), (.3, 1)], [(.05, 1), (.55, 1)]]],
    2: [[[(.02, .25), (.1, .07), (.32, 0), (.54, .08), (.59, .28), (.48, .52), (.25, .77), (0, 1)],
         [(0, 1), (.64, 1)]],
        [[(.03, .2), (.28, 0), (.55, .16), (.5, .45), (.27, .77), (.08, .95), (.01, .88), (.12, .78), (.3, .9),
          (.48, 1), (.68, .9)]]],
    3: [[[(.03, .15), (.14, .03), (.32, 0), (.53, .09), (.54, .31), (.4, .44), (.22, .46)],
         [(.22, .46), (.45, .49), (.61, .64), (.59, .84), (.42, .98), (.2, 1), (0, .85)]],
        [[(.05, .02), (.32, 0), (.58, .01)], [(.58, .01), (.25, .4)],
         [(.25, .4), (.52, .48), (.62, .7), (.5, .93), (.25, 1), (0, .9)]],
        [[(.05, .1), (.35, 0), (.54, .18), (.4, .38), (.2, .48), (.26, .44), (.5, .55), (.58, .78), (.38, .98),
          (.02, .96)]]],
    4: [[[(.45, 0), (0, .68)], [(0, .68), (.68, .68)], [(.48, 0), (.48, 1)]],
        [[(.12, 0), (.06, .3), (.03, .52)], [(.03, .52), (.3, .54), (.66, .5)], [(.54, .1), (.5, .5), (.46, 1)]],
        [[(.06, .02), (.02, .3), (.12, .52), (.36, .5), (.55, .3)], [(.58, .02), (.54, .4), (.48, 1)]]],
    5: [[[(.58, 0), (.1, 0)], [(.1, 0), (.05, .44)],
         [(.05, .44), (.28, .36), (.53, .46), (.61, .68), (.5, .91), (.26, 1), (0, .88)]],
        [[(.12, .02), (.07, .4)], [(.07, .4), (.3, .38), (.54, .55), (.53, .82), (.3, .99), (0, .93)],
         [(.12, .04), (.62, 0)]],
        [[(.6, .02), (.3, .02), (.13, .1), (.12, .3), (.26, .43), (.48, .55), (.54, .76), (.36, .97), (.02, .95)]]],
    6: [[[(.5, .02), (.25, .15), (.06, .45), (.03, .72), (.14, .94), (.34, 1), (.54, .89), (.58, .68), (.45, .5),
          (.25, .48), (.07, .62)]],
        [[(.32, 0), (.12, .35), (.02, .7), (.12, .95), (.36, .98), (.54, .77), (.42, .56), (.2, .6), (.06, .8)]]],
    7: [[[(0, .01), (.6, .01)], [(.6, .01), (.36, .5), (.22, 1)]],
        [[(0, .03), (.3, .05), (.6, 0)], [(.6, 0), (.42, .45), (.2, 1)], [(.16, .5), (.56, .48)]],
        [[(.02, .2), (.04, .04)], [(.04, .04), (.3, .05), (.55, 0)], [(.55, 0), (.5, .35), (.42, 1)]]],
    8: [[[(.3, 0), (.1, .08), (.07, .27), (.28, .44), (.54, .6), (.6, .8), (.3, 1), (0, .8), (.06, .6), (.32, .44),
          (.53, .27), (.5, .08), (.3, 0)]],
        [[(.5, .14), (.32, 0), (.1, .1), (.12, .3), (.34, .48), (.5, .7), (.42, .95), (.2, .98), (.08, .8), (.2, .58),
          (.4, .38), (.56, .12)]],
        [[(.3, .02), (.12, .1), (.12, .32), (.3, .42), (.5, .3), (.48, .1), (.3, .02)],
         [(.3, .42), (.06, .55), (.06, .88), (.3, 1), (.54, .86), (.52, .54), (.3, .42)]]],
    9: [[[(.53, .38), (.35, .52), (.13, .5), (.02, .32), (.06, .11), (.26, 0), (.46, .06), (.57, .28), (.54, .55),
          (.35, .85), (.1, .98)]],
        [[(.55, .12), (.36, 0), (.1, .12), (.02, .34), (.15, .5), (.38, .42), (.55, .12)],
         [(.55, .12), (.52, .55), (.48, 1)]],
        [[(.5, .1), (.3, 0), (.06, .15), (.08, .4), (.3, .44), (.5, .22), (.54, .1)],
         [(.54, .1), (.57, .5), (.48, .9), (.25, 1), (.06, .9)]]],
}


def curve(points: Sequence, steps: int = 6) -> np.ndarray:
    """A Catmull-Rom curve through points (n, 2), as a polyline ((n - 1) * steps + 1, 2)."""
    points = np.asarray(points, np.float64)
    if len(points) == 2:
        return points  # straight
    closed = np.allclose(points[0], points[-1])
    around = np.concatenate([points[[-2]] if closed else 2 * points[:1] - points[1:2], points,
                             points[[1]] if closed else 2 * points[-1:] - points[-2:-1]])
    a, b, c, d = (around[i:len(around) - 3 + i, None] for i in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    inner = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.concatenate([inner.reshape(-1, 2), points[-1:]])


@functools.lru_cache(maxsize=None)
def strokes(digit: int, way: int) -> List[np.ndarray]:
    """Strokes of one way to write a digit as dense polylines (n, 2), not to be changed: they are cached."""
    # Straight strokes get points in between, or they could not be bent.
    return [curve(points if len(points) > 2 else [points[0], np.mean(points, axis=0), points[1]])
            for points in WAYS[digit][way]]


def ink(lines: Sequence[np.ndarray], radii: Sequence[np.ndarray], width: int, height: int) -> Image.Image:
    """Polylines (n, 2) in pixels, drawn by a round pen of a radius at each point, white on black, mode "L"."""
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    for line, radius in zip(lines, radii):
        line, radius = line.tolist(), radius.tolist()
        for number, ((x, y), r) in enumerate(zip(line, radius)):
            draw.ellipse([x - r, y - r, x + r, y + r], fill=255)
            draw.line([*line[max(number - 1, 0)], x, y], fill=255, width=int(round(2 * r)))
    return image
