"""Options and presets of DCGAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.gans.configs import latent


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of DCGAN."""

    steps: Optional[int] = 5_000  # length of the whole training in steps; give one of steps, images, epochs
    half_batches: bool = True  # discriminator updates use half a batch of real and half a batch of generated images
    networks: Literal["upsampling", "transposed", "paper"] = "upsampling"  # of generator and discriminator
    generator_filters: Optional[int] = None  # channels before the image; none: 64, or 128 for transposed and paper
    discriminator_filters: Optional[int] = None  # of its first convolution; none: 32, 64 for transposed, 128 for paper
    discriminator_normalization: Optional[Literal["batch", "layer", "spectral"]] = "batch"  # no batch with a penalty
    discriminator_dropout: float = 0.25  # dropout rate in the discriminator's hidden layers
    discriminator_loss_weight: float = 0.5  # 1: sum of the losses on real and on generated images; 0.5: their mean
    beta_1: float = 0.5  # beta_1 of Adam

    @property
    def size_rule(self):
        if self.networks == "upsampling":
            return 4, 8
        if self.networks == "paper":
            return 8, 16
        return 8, 24  # the discriminator's last convolution has no padding

    def check(self):
        super().check()
        for name in ("generator_filters", "discriminator_filters"):
            if getattr(self, name) is not None:
                self.check_range(name, 1)


PRESETS = {"dcgan": Config(),
           "dcgan-transpose": Config(dataset="svhn_cropped", networks="transposed", discriminator_dropout=0.5),
           # Section 4 of the paper; its data were photographs of rooms and faces, for which give --dataset.
           "paper": Config(dataset="synthetic_objects", image_size="64", latent_distribution="uniform", batch_size=128,
                           half_batches=False, steps=20_000, networks="paper", discriminator_dropout=0.0,
                           discriminator_loss_weight=1.0)}

PRESET_OPTIONS = {name: {"sample_every": 50, "num_samples": 25} for name in PRESETS}
