"""Ways from one latent to another. Pure numpy."""
import numpy as np

_NO_DIRECTION = 1e-6  # shorter parts of unit vectors are rounding errors of float32


def lerp(start, end, fractions):
    """The straight way from `start` to `end`, for latents that are uniform in a cube, which it never leaves.

    Args:
        start, end: latents, float [size].
        fractions: how much of the way, float [num] in [0, 1]; 0 gives `start` and 1 gives `end`, exactly.

    Returns float32 [num, size]. Raises ValueError for other shapes and fractions.
    """
    start, end, fractions = _checked(start, end, fractions)
    return _with_ends(start + fractions * (end - start), start, end, fractions)


def slerp(start, end, fractions):
    """The way along the arc, for latents from N(0, 1): these lie near a sphere, and a straight way cuts through it.

    The direction turns at a constant rate in the plane of the two, and the length changes linearly. Between vectors of
    the same length that is Shoemake's slerp (1985); between others it stays as bounded when they are nearly opposite.
    Opposite vectors have no plane: any one is taken, the same every time. A vector of zeros has no direction, and
    opposite numbers no way around 0: these take the straight way.

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


def _perpendicular(vector, unit):
    """What is left of `vector` without its part along `unit`."""
    return vector - np.dot(vector, unit) * unit


def _checked(start, end, fractions):
    start, end, fractions = (np.asarray(values, np.float64) for values in (start, end, fractions))
    if start.ndim != 1 or start.shape != end.shape or not start.size:
        raise ValueError(f"latents are [size] and of the same size; these are {start.shape} and {end.shape}")
    if fractions.ndim != 1 or not np.all((0.0 <= fractions) & (fractions <= 1.0)):
        raise ValueError(f"fractions are [num] from 0 to 1, not {fractions}")
    return start, end, fractions[:, np.newaxis]


def _with_ends(path, start, end, fractions):
    """Without the rounding errors at the ends."""
    return np.where(fractions == 0.0, start, np.where(fractions == 1.0, end, path)).astype(np.float32)
