"""How sure an accuracy is that was found on a limited number of images."""
import math


def wilson_interval(right, num, z=1.96):
    """The interval of Wilson 1927 for a share of which `right` of `num` were seen; z of 1.96 makes it one of 95 %.

    (low, high), floats from 0 to 1: the shares p with |right / num - p| <= z sqrt(p (1 - p) / num). Unlike the
    interval of the plain normal approximation it has a width at 0 and at `num` too, and never leaves 0 to 1.
    ValueError unless 0 <= right <= num and num > 0.
    """
    if not 0 <= right <= num or not num > 0:
        raise ValueError(f"{right} of {num} is no share")
    share, scale = right / num, 1 + z * z / num
    center = (share + z * z / (2 * num)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / num + (z / (2 * num)) ** 2)
    # At the ends the interval touches 0 or 1 exactly; rounding must not put it a hair beyond, or short of it.
    return (0.0 if right == 0 else center - half), (1.0 if right == num else center + half)
