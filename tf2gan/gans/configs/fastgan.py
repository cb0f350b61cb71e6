"""Options and presets of FastGAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.gans.configs import few_images


@dataclasses.dataclass(frozen=True)
class Config(few_images.Config):
    """Options of FastGAN."""

    batch_size: int = 8  # generated images per generator update, over all replicas together
    beta_1: float = 0.5  # beta_1 of Adam
    restore: Optional[Literal["perceptual", "l1"]] = "perceptual"  # how restored images differ; none: do not restore


PRESETS = {"fastgan": Config()}

PRESET_OPTIONS = {"fastgan": few_images.PRESET_OPTIONS}
