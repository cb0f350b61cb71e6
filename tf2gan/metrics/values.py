"""Metric values, with names that carry their protocol, and the direction in which a metric is better."""
import dataclasses
from typing import Optional

_LOWER = ("fid", "kid", "swd", "ms_ssim", "cycle_l1", "identity_l1", "l1", "lab_l1", "color_distance", "class_distance",
          "perceptual", "overfitting", "style_cycle_l1")
_HIGHER = ("is", "precision", "recall", "density", "coverage", "agreement", "accuracy", "psnr", "ssim", "authenticity")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One metric value. `metric` is the short name (`fid`, `kid_a2b`, `swd_28`); `name` says how it was measured."""

    metric: str
    name: str
    value: float
    deviation: Optional[float] = None


def better(metric) -> Optional[str]:
    """Which values of a metric are better: "lower", "higher", or None for neither."""
    for names, which in ((_LOWER, "lower"), (_HIGHER, "higher")):
        if any(metric == name or metric.startswith(f"{name}_") for name in names):
            return which
    return None
