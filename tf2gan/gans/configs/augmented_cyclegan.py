"""Options and presets of Augmented CycleGAN."""
import dataclasses
from typing import Optional

from tf2gan.gans.configs import cyclegan


@dataclasses.dataclass(frozen=True)
class Config(cyclegan.Cyclic):
    """Options of Augmented CycleGAN."""

    style_size: int = 8  # numbers that say which of the possible translations is meant
    style_weight: float = 1.0  # weight of the adversarial losses of the styles that the encoders find
    style_cycle_weight: float = 1.0  # weight of each of the two losses of styles that must be found again
    encoder_filters: int = 32  # channels of the first convolution of each encoder
    num_blocks: Optional[int] = None  # residual blocks of each generator; none: 4, or 6 from 256 pixels on
    generator = "styled"  # the only one

    @property
    def weights(self):
        return *super().weights, "style_weight", "style_cycle_weight"

    def check(self):
        super().check()
        for name in ("style_size", "encoder_filters"):
            self.check_range(name, 1)


PRESETS = {
    "augmented-cyclegan": Config(),
    # Losses, batch and length for edges and shoes by the paper's public code, which has other networks, and whose
    # discriminators learn at a fifth of this rate.
    "paper": Config(discriminator="patchgan", projected_weight=0.0, image_size="64", batch_size=32, epochs=50,
                    style_size=16, cycle_weight=1.0, style_cycle_weight=0.025),
}

PRESET_OPTIONS = {}
