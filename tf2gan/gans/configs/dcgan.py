"""Numbers of DCGAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.gans.configs import latent


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of DCGAN."""

    steps: Optional[int] = 5_000  # length of the whole training; give one of steps, images, epochs
    half_batches: bool = True  # the discriminator's update takes half as many real and half as many generated images
    networks: Literal["upsampling", "transposed"] = "upsampling"  # how the generator's maps grow
    generator_filters: Optional[int] = None  # channels before the image; none: 64 for upsampling, 128 for transposed
    discriminator_filters: Optional[int] = None  # channels of its first convolution; none: 32 for upsampling, else 64
    discriminator_normalization: Optional[Literal["batch", "layer"]] = "batch"  # batch is unsound with a penalty
    discriminator_dropout: float = 0.25  # rate in the discriminator's hidden layers
    discriminator_loss_weight: float = 0.5  # 1: the losses on real and on generated images are added, 0.5: their mean
    beta_1: float = 0.5  # of Adam

    @property
    def size_rule(self):
        if self.networks == "upsampling":
            return 4, 8
        return 8, 24  # the discriminator's last convolution has no padding

    def check(self):
        super().check()
        for name in ("generator_filters", "discriminator_filters"):
            if getattr(self, name) is not None:
                self.check_range(name, 1)


PRESETS = {"dcgan": Config(),
           "dcgan-transpose": Config(dataset="svhn_cropped", networks="transposed", discriminator_dropout=0.5)}

PRESET_OPTIONS = {name: {"sample_every": 50, "num_samples": 25} for name in PRESETS}
