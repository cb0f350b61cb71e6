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
    image_size: Optional[str] = "256"  # N, or HEIGHTxWIDTH: for unet, powers of 2 from 64 on
    epochs: Optional[int] = 200  # length of the whole training in passes over the data
    direction: Direction = "a2b"  # a2b: from A, or the left half, to B; b2a: the other way
    input_from: Optional[Literal["grey", "edges"]] = None  # make the inputs from photographs, which are the targets
    pair_features: Optional[str] = None  # INPUT,TARGET: the features of a tensorflow-datasets name that are a pair
    generator: Literal["unet", "resunet", "resnet"] = "unet"  # generator; unet, the paper's, goes down to one pixel
    generator_filters: Optional[int] = None  # channels of its first convolution; none: 64, or 32 for resunet
    dropout: Optional[float] = None  # dropout rate in the first three layers of the decoder of unet; none: 0.5
    noise_in_use: bool = False  # keep the dropout on in samples, evaluations and exports: other results at each call
    l1_weight: float = 100.0  # weight of the mean absolute difference from the target
    projected_weight: float = 0.0  # weight of a second loss, by a discriminator on a frozen network; 0: have none
    paired = True

    def check(self):
        super().check()
        self.check_range("l1_weight", 0)
        if self.dropout is not None:
            self.check_dropout()
        if not (self.l1_weight or self.adversarial_weight or self.projected_weight):
            raise UserError("--l1-weight, --adversarial-weight, --projected-weight are all 0: nothing to train")
        if self.noise_in_use and not self.dropout_rate:
            raise UserError("--noise-in-use: the noise is dropout, and there is none; it needs --generator unet and a "
                            "--dropout above 0")

    @property
    def dropout_rate(self):
        """The dropout rate that `dropout` means with this generator."""
        if self.dropout is None:
            return 0.5 if self.generator == "unet" else 0.0
        return self.dropout

    def check_size(self):
        if self.generator != "unet":
            super().check_size()
        elif any(n < _LEAST or n & (n - 1) for n in self.image_shape):
            raise UserError(f"--image-size {self.image_size}: height and width must be powers of 2 from {_LEAST} on "
                            "for --generator unet")


PRESETS = {
    "pix2pix": Config(),
    # A generator without transposed convolutions, which leave a grid, and a second judge that has seen photographs.
    "projected": Config(image_size="128", epochs=60, generator="resunet", projected_weight=1.0),
}

PRESET_OPTIONS = {}
