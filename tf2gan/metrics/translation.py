"""Metrics of image-to-image translation, on arrays of images."""
import numpy as np

BINS = 8  # per colour channel: 512 colours


def mean_absolute_error(images, targets, span=2.0):
    """mean(|images - targets|) / span, for arrays of the same shape; `span` is the width of their value range.

    Raises ValueError for different shapes.
    """
    if np.shape(images) != np.shape(targets):
        raise ValueError(f"images of shape {np.shape(images)} cannot be compared with {np.shape(targets)}")
    return float(absolute_errors(images, targets).mean() / span)


def absolute_errors(images, targets):
    """Mean of |image - target| for each pair of arrays [n, ...] of one shape: float64 [n]."""
    differences = np.abs(np.subtract(images, targets, dtype=np.float64))
    return differences.reshape(len(differences), -1).mean(axis=1)


# sRGB (IEC 61966-2-1): linear red, green, blue to CIE X, Y, Z, white (D65) having Y = 1.
_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                    [0.0193339, 0.1191920, 0.9503041]])
_BEND = 6 / 29  # where the cube root of CIELAB begins


def lab(images):
    """CIELAB 1976 of sRGB images uint8 [..., 3], float64: lightness L* 0 to 100, green-red a*, blue-yellow b*."""
    values = images / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    ratios = linear @ (_TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)).T  # of white: sums of the rows
    x, y, z = np.moveaxis(np.where(ratios > _BEND ** 3, np.cbrt(ratios), ratios / (3 * _BEND ** 2) + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_errors(images, targets):
    """`absolute_errors` of the three values of CIELAB, for sRGB images uint8 [n, height, width, 3]."""
    return absolute_errors(lab(images), lab(targets))


class ColorHistogram:
    """Joint RGB histogram of all pixels of a set of images, filled batch by batch."""

    def __init__(self):
        self.counts = np.zeros(BINS ** 3, np.int64)

    def add(self, images):
        """Counts the pixels of images [..., 3] in [-1, 1]."""
        levels = np.clip((np.asarray(images, np.float64) + 1) / 2 * BINS, 0, BINS - 1).astype(np.int64)
        index = (levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2]
        self.counts += np.bincount(index.ravel(), minlength=BINS ** 3)
        return self

    def distance(self, other) -> float:
        """Total variation distance, 1/2 sum |p - q|: 0 for equal distributions of colours, 1 for disjoint ones."""
        p, q = (histogram.counts / histogram.counts.sum() for histogram in (self, other))
        return float(0.5 * np.abs(p - q).sum())
