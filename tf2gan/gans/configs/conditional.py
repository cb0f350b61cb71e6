"""Options and presets of the conditional GAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError
from tf2gan.gans.configs import latent


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of the conditional GAN."""

    batch_size: int = 32  # generated images per generator update, over all replicas together
    steps: Optional[int] = 12_000  # length of the whole training in steps; give one of steps, images, epochs
    num_classes: Optional[int] = None  # number of classes; none: as in the data
    generator_filters: int = 64  # generator channels before the image
    discriminator_filters: int = 64  # channels of the discriminator's first convolution
    generator_condition: Literal["product", "normalization"] = "product"  # how labels enter the generator
    discriminator_condition: Literal["plane", "projection"] = "plane"  # how labels enter the discriminator
    discriminator_normalization: Optional[Literal["batch", "layer", "spectral"]] = "batch"  # no batch with a penalty
    discriminator_loss_weight: float = 0.5  # 1: sum of the losses on real and on generated images; 0.5: their mean
    generator_learning_rate: float = 1e-3  # learning rate of the generator
    discriminator_learning_rate: float = 1e-3  # learning rate of the discriminator

    @property
    def size_rule(self):
        return 4, 8

    def fitted(self, image_shape, class_names):
        if class_names is None:
            raise UserError(f"dataset {self.dataset!r} has no labels, which a conditional GAN needs; possible: a "
                            "folder with a sub folder for each class, or a set such as mnist or synthetic_digits")
        if self.num_classes not in (None, len(class_names)):
            raise UserError(f"--num-classes {self.num_classes}: {self.dataset} has {len(class_names)} classes")
        fitted = super().fitted(image_shape, class_names)
        return dataclasses.replace(fitted, num_classes=len(class_names))

    def check(self):
        super().check()
        for name in ("generator_filters", "discriminator_filters"):
            self.check_range(name, 1)


PRESETS = {"cgan": Config()}

PRESET_OPTIONS = {"cgan": {"sample_every": 500, "num_samples": 10}}
