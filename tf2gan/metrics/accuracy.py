"""Confidence interval of an accuracy that was measured on a limited number of images."""
import math


def wilson_interval(right, num, z=1.96):
    """Confidence interval (Wilson 1927) of a share, measured as `right` of `num`; z = 1.96 gives 95 % confidence.

    Returns (low, high), floats from 0 to 1: the shares p with |right / num - p| <= z sqrt(p (1 - p) / num). Unlike the
    interval of the normal approximation, it has a width also for 0 or `num` right, and never leaves 0 to 1.
    Raises ValueError unless 0 <= right <= num and num > 0.
    """
    if not 0 <= right <= num or not num > 0:
        raise ValueError(f"{right} of {num} is no share")
    share, scale = right / num, 1 + z * z / num
    center = (share + z * z / (2 * num)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / num + (z / (2 * num)) ** 2)
    # With 0 or `num` right the interval ends exactly at 0 or 1, which rounding must not change.
    return (0.0 if right == 0 else center - half), (1.0 if right == num else center + half)
