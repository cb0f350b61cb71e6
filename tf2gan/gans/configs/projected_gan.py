"""Options and presets of Projected GAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError
from tf2gan.gans.configs import few_images

_LEAST = 128  # pixels that the frozen network needs for four maps of different sizes


@dataclasses.dataclass(frozen=True)
class Config(few_images.Config):
    """Options of Projected GAN.

    Batches are joint: in separate ones a batch normalization takes away what all generated images have in common, which
    is what a collapse has. On 995 apples, all samples were one image after 1 000 steps.
    """

    beta_1: float = 0.0  # beta_1 of Adam
    beta_2: float = 0.99  # beta_2 of Adam
    batches: Literal["separate", "joint"] = "joint"  # batches of real and generated images for the discriminator
    full_generator: bool = False  # FastGAN's whole generator, with more convolutions, and noise in training
    judged_size: Optional[int] = None  # pixels that the frozen network sees; none: 224, or 128 for images of up to 64

    @property
    def judged(self) -> int:
        """What `judged_size` means for these images."""
        return self.judged_size or (_LEAST if self.is_small else 224)

    @property
    def discriminator_widths(self) -> tuple:
        """Channels of the four mixtures: the paper's, or half as many for small images."""
        return (32, 64, 128, 256) if self.is_small else (64, 128, 256, 512)

    def check(self):
        super().check()
        if self.judged_size is not None and (self.judged_size < _LEAST or self.judged_size % 32):
            raise UserError(f"--judged-size {self.judged_size}: must be a multiple of 32, at least {_LEAST}")


PRESETS = {"projected": Config()}

PRESET_OPTIONS = {"projected": few_images.PRESET_OPTIONS}
