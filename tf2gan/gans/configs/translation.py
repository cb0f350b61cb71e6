"""Options that all methods have which translate images."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError
from tf2gan.gans.configs import base
from tf2gan.gans.configs.base import OptimizerName


@dataclasses.dataclass(frozen=True)
class Config(base.Config):
    """Options that all methods have which translate images; each adds `generator`."""

    dataset: str = "cycle_gan/apple2orange"  # a tensorflow-datasets name, or a folder with trainA trainB testA testB
    learning_rate: float = 2e-4  # learning rate of generators and discriminators
    beta_1: float = 0.5  # beta_1 of Adam
    learning_rate_decay: bool = True  # decay the learning rate linearly to 0 over the second half of training
    ada_images: int = 50_000  # real images in which ada's probability can go from 0 to 1: a tenth of the paper's
    optimizer: OptimizerName = "adam"  # optimizer of generators and discriminators
    load_scale: float = 286 / 256  # training images are resized to this times image_size, then cropped at random
    mirror: bool = True  # flip training images horizontally at random
    generator_filters: Optional[int] = None  # channels of the generator's first convolution; none: 32, or 64 for resnet
    num_blocks: Optional[int] = None  # residual blocks; none: 4 for resunet, 6 for resnet, 9 from 256 pixels on
    discriminator_filters: int = 64  # channels of the first convolution of each discriminator
    adversarial_weight: float = 1.0  # weight of the generator's adversarial loss
    projected_weight: float = 1.0  # weight of a second loss, by discriminators on a frozen network; 0: have none

    @property
    def size_rule(self):
        """(multiple, minimum) of the image heights and widths that these networks take."""
        return 16, 32  # for the discriminators; the generators need no more

    def check(self):
        super().check()
        for name, low, high in (("learning_rate", 0, None), ("beta_1", 0, 0.9999), ("load_scale", 1, None),
                                ("discriminator_filters", 1, None), ("adversarial_weight", 0, None),
                                ("projected_weight", 0, None)):
            self.check_range(name, low, high)
        for name in ("generator_filters", "num_blocks"):
            if getattr(self, name) is not None:
                self.check_range(name, 1)
        if self.num_blocks and self.generator == "unet":
            raise UserError(f"--num-blocks {self.num_blocks}: the generator unet has no residual blocks")
        self.check_size()

    def check_dropout(self):
        """Raises UserError for a `dropout` out of range, or with a generator that has none."""
        self.check_range("dropout", 0, 0.99)
        if self.dropout and self.generator != "unet":
            raise UserError(f"--dropout {self.dropout}: the generator {self.generator} has none; possible: 0, or "
                            "--generator unet")

    def check_size(self):
        multiple, minimum = self.size_rule
        if any(n % multiple or n < minimum for n in self.image_shape):
            raise UserError(f"--image-size {self.image_size}: height and width must be multiples of {multiple} and at "
                            f"least {minimum}")


Direction = Literal["a2b", "b2a"]


@dataclasses.dataclass(frozen=True)
class Unpaired(Config):
    """Options that all methods have which learn from unpaired images."""

    epochs: Optional[int] = 60  # length of the whole training in passes over the larger of the two domains
    discriminator: Literal["two-scale", "patchgan", "patchgan-70"] = "two-scale"  # patchgan-70 is the paper's
