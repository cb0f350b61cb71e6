"""Options of the methods for few images, which share a generator."""
import dataclasses
from typing import Optional

from tf2gan.core.errors import UserError, flag
from tf2gan.gans.configs import latent
from tf2gan.gans.configs.base import Augmentation

SIZES = (32, 64, 128, 256, 512)  # pixels, those that the generator makes
SMALL = 64  # pixels; up to there the networks are smaller


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of the methods for few images."""

    dataset: str = "synthetic_objects"  # a folder of images, a tensorflow-datasets name, or a built-in set
    image_size: Optional[str] = "64"  # height and width in pixels: 32, 64, 128, 256 or 512; none: as in the data
    batch_size: int = 16  # generated images per generator update, over all replicas together
    steps: Optional[int] = 5_000  # length of the whole training in steps; give one of steps, images, epochs
    latent_size: int = 256  # numbers that an image is made from
    loss: latent.Loss = "hinge"  # adversarial loss of generator and discriminator
    augment: Optional[Augmentation] = "diffaugment"  # changes to all images that are judged to be real or not
    channels: Optional[int] = 3  # 3: colour, also from grey photographs, as what measures needs it; 1: grey
    mirror: bool = True  # flip training images horizontally at random
    held_out: Optional[int] = None  # training images kept back, to watch the discriminator; none: a tenth, at most 50
    generator_filters: Optional[int] = None  # channels of 128x128 maps; none: 64, or 32 for images of up to 64 pixels

    OLDER = {"held_out": 0}

    @property
    def width(self) -> int:
        """What `generator_filters` means for these images."""
        return self.generator_filters or (32 if self.is_small else 64)

    @property
    def is_small(self) -> bool:
        """Whether the images are so small that smaller networks do."""
        return self.image_shape[0] <= SMALL

    @property
    def size_rule(self):
        return SIZES[0], SIZES[0]

    def _possible_sizes(self, near=None):
        return ", ".join(map(str, SIZES))

    def check(self):
        super().check()
        if self.image_size is not None and self.image_shape[0] not in SIZES:
            raise UserError(f"--image-size {self.image_size}: these networks cannot make it; possible: "
                            f"{self._possible_sizes()}")
        for name in ("generator_dropout", "discriminator_dropout"):
            if getattr(self, name):
                raise UserError(f"{flag(name)} {getattr(self, name)}: these networks have no dropout; possible: 0")
        if self.generator_filters is not None:
            self.check_range("generator_filters", 1)


# A value that is better tells which checkpoint to keep: with few images the last one is often not the best.
PRESET_OPTIONS = {"sample_every": 250, "num_samples": 25, "evaluate_every": 1000, "evaluate_metrics": "kid",
                  "evaluate_num": 500, "keep_best": "kid"}
