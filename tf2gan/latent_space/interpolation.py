"""Interpolates latents: between two, through several, in a grid between four, along a direction. Pure numpy."""
import numpy as np

_NO_DIRECTION = 1e-6  # shorter components of unit vectors are float32 rounding errors


def lerp(start, end, fractions):
    """Linear interpolation from `start` to `end`, for latents that are uniform in a cube, which it never leaves.

    Args:
        start, end: latents, float [size].
        fractions: positions on the path, float [num] in [0, 1]; 0 gives `start` and 1 gives `end`, exactly.

    Returns float32 [num, size]. Raises ValueError for other shapes and fractions.
    """
    start, end, fractions = _checked(start, end, fractions)
    return _with_ends(start + fractions * (end - start), start, end, fractions)


def slerp(start, end, fractions):
    """Spherical interpolation, for latents from N(0, 1): these lie near a sphere, and a straight line cuts through it.

    The direction turns at a constant rate in the plane of the two vectors, and the length changes linearly. For vectors
    of the same length this is Shoemake's slerp (1985); for others it stays bounded, too, when they are nearly opposite.
    Opposite vectors span no plane: an arbitrary one is used, always the same. A zero vector has no direction, and
    latents of size 1 have no path around 0: both are interpolated linearly.

    Arguments, result and errors as for `lerp`.
    """
    start, end, fractions = _checked(start, end, fractions)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if not all(lengths) or start.size == 1:
        return lerp(start, end, fractions[:, 0])
    unit, end_unit = start / lengths[0], end / lengths[1]
    angle = 2.0 * np.arctan2(np.linalg.norm(end_unit - unit), np.linalg.norm(end_unit + unit))
    side = _perpendicular(end_unit, unit)
    if np.linalg.norm(side) < _NO_DIRECTION:
        side = _perpendicular(np.eye(unit.size)[np.argmin(np.abs(unit))], unit)
    side = side / np.linalg.norm(side)
    directions = np.cos(fractions * angle) * unit + np.sin(fractions * angle) * side
    length = lengths[0] + fractions * (lengths[1] - lengths[0])
    return _with_ends(length * directions, start, end, fractions)


def hypersphere(start, end, fractions):
    """Linear interpolation with each point rescaled to the length interpolated linearly between those of the ends.

    For latents from N(0, 1). It has the plane and the lengths of `slerp`, but turns fastest in the middle. It equals
    `slerp` if the two vectors span no plane: one is zero, or they are parallel or opposite.

    Arguments, result and errors as for `lerp`.
    """
    start, end, fractions = _checked(start, end, fractions)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if not all(lengths) or np.linalg.norm(_perpendicular(end / lengths[1], start / lengths[0])) < _NO_DIRECTION:
        return slerp(start, end, fractions[:, 0])
    straight = start + fractions * (end - start)
    length = lengths[0] + fractions * (lengths[1] - lengths[0])
    return _with_ends(length * straight / np.linalg.norm(straight, axis=1, keepdims=True), start, end, fractions)


WAYS = {"linear": lerp, "spherical": slerp, "hypersphere": hypersphere}
USUAL = {"normal": "spherical", "uniform": "linear"}  # {distribution of latents: its default of WAYS}


def walk(stops, frames, way, loop=False):
    """Interpolates from each stop to the next, and with `loop` from the last back to the first.

    Args:
        stops: latents, float [num_stops, size], two or more.
        frames: steps from each stop to the next, one or more: the stop itself and `frames` - 1 latents before the next.
        way: one of the values of WAYS.
        loop: whether to return to the first stop, which is not repeated at the end.

    Returns float32 [frames * (num_stops - 1) + 1, size] with stop i exactly at index i * frames; with `loop`
    [frames * num_stops, size]. Raises ValueError for fewer stops or frames.
    """
    stops = np.asarray(stops, np.float32)
    if len(stops) < 2 or frames < 1:
        raise ValueError(f"a walk is through two stops or more, by one frame or more; not {len(stops)} and {frames}")
    fractions = np.arange(frames) / frames
    parts = [way(start, end, fractions) for start, end in zip(stops, stops[1:])]
    return np.concatenate([*parts, way(stops[-1], stops[0], fractions) if loop else stops[-1:]])


def between_seeds(sampler, first, last, num, truncation=None):
    """`num` latents from the first one of seed `first` to that of seed `last`, both included: [num, latent_size].

    Interpolates by the default for the latents of `sampler`, a `models.generation.Sampler`.
    """
    start, end = (sampler.latents(1, seed, truncation)[0] for seed in (first, last))
    return WAYS[USUAL[sampler.latent_distribution]](start, end, np.linspace(0.0, 1.0, num))


def corners(four, steps, way):
    """The grid between four latents: interpolates the left and right columns first, then each row between them.

    Args:
        four: latents, float [4, size]: top left, top right, bottom left, bottom right.
        steps: number of steps from one corner to the next, 1 or more.
        way: one of the values of WAYS.

    Returns float32 [steps + 1, steps + 1, size], the four exactly at its corners. Raises ValueError for other numbers.
    """
    if len(four) != 4 or steps < 1:
        raise ValueError(f"a grid is between four latents, by one step or more; not {len(four)} and {steps}")
    fractions = np.linspace(0.0, 1.0, steps + 1)
    left, right = way(four[0], four[2], fractions), way(four[1], four[3], fractions)
    return np.stack([way(start, end, fractions) for start, end in zip(left, right)])


def along(latent, direction, strengths):
    """Adds `direction`, times each of `strengths`, [num], to `latent`; both are [size]. Returns float32 [num, size].

    Strength 0 gives the latent itself, exactly. Raises ValueError for other shapes.
    """
    latent, direction, strengths = (np.asarray(values, np.float64) for values in (latent, direction, strengths))
    if latent.ndim != 1 or latent.shape != direction.shape or strengths.ndim != 1:
        raise ValueError(f"a latent and a direction are [size], strengths [num]; these are {latent.shape}, "
                         f"{direction.shape} and {strengths.shape}")
    return (latent + strengths[:, np.newaxis] * direction).astype(np.float32)


def _perpendicular(vector, unit):
    """The component of `vector` perpendicular to `unit`, a unit vector."""
    return vector - np.dot(vector, unit) * unit


def _checked(start, end, fractions):
    start, end, fractions = (np.asarray(values, np.float64) for values in (start, end, fractions))
    if start.ndim != 1 or start.shape != end.shape or not start.size:
        raise ValueError(f"latents are [size] and of the same size; these are {start.shape} and {end.shape}")
    if fractions.ndim != 1 or not np.all((0.0 <= fractions) & (fractions <= 1.0)):
        raise ValueError(f"fractions are [num] from 0 to 1, not {fractions}")
    return start, end, fractions[:, np.newaxis]


def _with_ends(path, start, end, fractions):
    """Replaces the ends of `path` by `start` and `end`, which have no rounding errors."""
    return np.where(fractions == 0.0, start, np.where(fractions == 1.0, end, path)).astype(np.float32)
