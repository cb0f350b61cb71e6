"""Options and presets of pix2pix."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError
from tf2gan.gans.configs import translation
from tf2gan.gans.configs.translation import Direction

_LEAST = 64  # pixels


@dataclasses.dataclass(frozen=True)
class Config(translation.Config):
    """Options of pix2pix."""

    dataset: str = "synthetic_facades"  # a built-in set, a folder of pairs, or of photographs for --input-from
    image_size: Optional[str] = "256"  # N, or HEIGHTxWIDTH: powers of 2 from 64 on
    epochs: Optional[int] = 200  # length of the whole training in passes over the data
    direction: Direction = "a2b"  # a2b: from A, or the left half, to B; b2a: the other way
    input_from: Optional[Literal["grey", "edges"]] = None  # make the inputs from photographs, which are the targets
    pair_features: Optional[str] = None  # INPUT,TARGET: the features of a tensorflow-datasets name that are a pair
    generator_filters: int = 64  # channels of the generator's first convolution
    dropout: float = 0.5  # dropout rate in the first three layers of the decoder, the only noise
    noise_in_use: bool = False  # keep the dropout on in samples, evaluations and exports: other results at each call
    discriminator_filters: int = 64  # channels of the discriminator's first convolution
    l1_weight: float = 100.0  # weight of the mean absolute difference from the target
    adversarial_weight: float = 1.0  # weight of the generator's adversarial loss
    paired = True

    def check(self):
        super().check()
        for name, low, high in (("dropout", 0, 0.99), ("generator_filters", 1, None), ("l1_weight", 0, None),
                                ("discriminator_filters", 1, None), ("adversarial_weight", 0, None)):
            self.check_range(name, low, high)
        if not (self.l1_weight or self.adversarial_weight):
            raise UserError("--l1-weight, --adversarial-weight are both 0: nothing to train")
        if self.noise_in_use and not self.dropout:
            raise UserError("--noise-in-use: the noise is dropout, and --dropout is 0")

    def check_size(self):
        if any(n < _LEAST or n & (n - 1) for n in self.image_shape):
            raise UserError(f"--image-size {self.image_size}: height and width must be powers of 2 from {_LEAST} on")


PRESETS = {"pix2pix": Config()}

PRESET_OPTIONS = {}
