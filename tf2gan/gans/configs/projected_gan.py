"""Options and presets of Projected GAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError
from tf2gan.gans.configs import few_images

_LEAST = 128  # pixels that the frozen network needs for four maps of different sizes


@dataclasses.dataclass(frozen=True)
class Config(few_images.Config):
    """Options of Projected GAN.

    The paper's discriminators have batch normalization. In small batches it collapsed: of 995 apples nearly one image
    was left after 1 000 steps. Without it, and with discriminators that are told how much images differ, it did not.
    They learn twice as fast as the generator, so that they stay ahead of it (Heusel et al. 2017, arXiv 1706.08500).
    """

    discriminator_learning_rate: float = 4e-4  # learning rate of the discriminator
    beta_1: float = 0.0  # beta_1 of Adam
    beta_2: float = 0.99  # beta_2 of Adam
    discriminator_normalization: Optional[Literal["batch"]] = None  # beside the spectral one; batch is the paper's
    group_size: int = 8  # images over which the discriminator gets the standard deviation; 1: it does not
    full_generator: bool = False  # FastGAN's whole generator, with more convolutions, and noise in training
    judged_size: Optional[int] = None  # pixels that the frozen network sees; none: 224, or 128 for images of up to 64
    judged_places: int = 8  # pixels of a side to which larger maps are halved before they are judged

    OLDER = {**few_images.Config.OLDER, "judged_places": 4, "discriminator_normalization": "batch", "group_size": 1}

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
        self.check_range("group_size", 1)
        self.check_range("judged_places", 4)  # the last convolution is 4x4
        if self.judged_size is not None and (self.judged_size < _LEAST or self.judged_size % 32):
            raise UserError(f"--judged-size {self.judged_size}: must be a multiple of 32, at least {_LEAST}")


PRESETS = {
    "projected": Config(),
    # Sec. 3; as many images as its small sets took at most.
    "paper": Config(image_size="256", batch_size=64, steps=None, images=1_000_000,
                    discriminator_learning_rate=2e-4, discriminator_normalization="batch", group_size=1),
}

PRESET_OPTIONS = dict.fromkeys(PRESETS, few_images.PRESET_OPTIONS)
