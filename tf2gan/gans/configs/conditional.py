"""Options and presets of the conditional GAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError
from tf2gan.gans.configs import latent


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of the conditional GAN."""

    steps: Optional[int] = 12_000  # length of the whole training in steps; give one of steps, images, epochs
    num_classes: Optional[int] = None  # number of classes; none: as in the data
    loss: latent.Loss = "hinge"  # adversarial loss of generator and discriminator
    generator_condition: Literal["normalization", "product"] = "normalization"  # how labels enter the generator
    generator_filters: int = 64  # generator channels before the image
    discriminator_condition: Literal["projection", "plane"] = "projection"  # how labels enter the discriminator
    discriminator_filters: int = 64  # channels of the discriminator's first convolution
    discriminator_normalization: Optional[Literal["spectral", "batch", "layer"]] = "spectral"  # no batch with a penalty
    discriminator_learning_rate: float = 4e-4  # learning rate of the discriminator
    beta_1: float = 0.0  # beta_1 of Adam

    OLDER = {"generator_condition": "product", "discriminator_condition": "plane"}

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


PRESETS = {
    # Projection, normalization by class, spectral norms and hinges: Miyato and Koyama 2018; two learning rates: Heusel
    # et al. 2017.
    "cgan": Config(),
    # Mirza and Osindero 2014 with convolutions, as GAN books have it.
    "book": Config(batch_size=32, loss="non-saturating", generator_condition="product", discriminator_condition="plane",
                   discriminator_normalization="batch", discriminator_loss_weight=0.5, generator_learning_rate=1e-3,
                   discriminator_learning_rate=1e-3, beta_1=0.9),
}

PRESET_OPTIONS = {name: {"sample_every": 500, "num_samples": 10} for name in PRESETS}
