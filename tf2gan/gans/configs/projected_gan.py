"""Options and presets of Projected GAN."""
import dataclasses
from typing import Optional

from tf2gan.core.errors import UserError, flag
from tf2gan.gans.configs import latent

_SIZES = (32, 64, 128, 256, 512)  # those that the generator makes
_SMALL = 64  # pixels; up to there the networks are smaller
_LEAST = 128  # pixels that the frozen network needs for four maps of different sizes


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of Projected GAN."""

    dataset: str = "synthetic_objects"  # a folder of images, a tensorflow-datasets name, or a built-in set
    image_size: Optional[str] = "64"  # height and width in pixels: 32, 64, 128, 256 or 512; none: as in the data
    batch_size: int = 16  # generated images per generator update, over all replicas together
    steps: Optional[int] = 5_000  # length of the whole training in steps; give one of steps, images, epochs
    latent_size: int = 256  # numbers that an image is made from
    loss: latent.Loss = "hinge"  # adversarial loss of generator and discriminator
    augment: Optional[latent.Augmentation] = "diffaugment"  # changes to all images that the discriminator sees
    mirror: bool = True  # flip training images horizontally at random
    beta_1: float = 0.0  # beta_1 of Adam
    beta_2: float = 0.99  # beta_2 of Adam
    generator_filters: Optional[int] = None  # channels of 128x128 maps; none: 64, or 32 for images of up to 64 pixels
    full_generator: bool = False  # FastGAN's whole generator, with more convolutions, and noise in training
    judged_size: Optional[int] = None  # pixels that the frozen network sees; none: 224, or 128 for images of up to 64

    @property
    def width(self) -> int:
        """What `generator_filters` means for these images."""
        return self.generator_filters or (32 if self._is_small else 64)

    @property
    def judged(self) -> int:
        """What `judged_size` means for these images."""
        return self.judged_size or (_LEAST if self._is_small else 224)

    @property
    def discriminator_widths(self) -> tuple:
        """Channels of the four mixtures: the paper's, or half as many for small images."""
        return (32, 64, 128, 256) if self._is_small else (64, 128, 256, 512)

    @property
    def _is_small(self):
        return self.image_shape[0] <= _SMALL

    @property
    def size_rule(self):
        return _SIZES[0], _SIZES[0]

    def _possible_sizes(self, near=None):
        return ", ".join(map(str, _SIZES))

    def check(self):
        super().check()
        if self.image_size is not None and self.image_shape[0] not in _SIZES:
            raise UserError(f"--image-size {self.image_size}: these networks cannot make it; possible: "
                            f"{self._possible_sizes()}")
        for name in ("generator_dropout", "discriminator_dropout"):
            if getattr(self, name):
                raise UserError(f"{flag(name)} {getattr(self, name)}: these networks have no dropout; possible: 0")
        if self.generator_filters is not None:
            self.check_range("generator_filters", 1)
        if self.judged_size is not None and (self.judged_size < _LEAST or self.judged_size % 32):
            raise UserError(f"--judged-size {self.judged_size}: must be a multiple of 32, at least {_LEAST}")


PRESETS = {"projected": Config()}

PRESET_OPTIONS = {"projected": {"sample_every": 250, "num_samples": 25}}
