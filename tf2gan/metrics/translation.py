"""Metrics of image-to-image translation, on arrays of images."""
import numpy as np

BINS = 8  # per colour channel: 512 colours


def mean_absolute_error(images, targets, span=2.0):
    """mean(|images - targets|) / span, for arrays of the same shape; `span` is the width of their value range.

    Raises ValueError for different shapes.
    """
    images, targets = np.asarray(images, np.float64), np.asarray(targets, np.float64)
    if images.shape != targets.shape:
        raise ValueError(f"images of shape {images.shape} cannot be compared with {targets.shape}")
    return float(np.abs(images - targets).mean() / span)


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
