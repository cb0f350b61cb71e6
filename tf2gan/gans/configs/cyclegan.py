"""Options and presets of CycleGAN."""
import dataclasses
from typing import Literal

from tf2gan.core.errors import UserError, flag
from tf2gan.gans.configs import translation


@dataclasses.dataclass(frozen=True)
class Cyclic(translation.Unpaired):
    """Options that all methods have whose translations must lead back."""

    cycle_weight: float = 10.0  # weight of each of the two cycle consistency losses (the paper's lambda)
    pool_size: int = 50  # earlier generated images kept to show to each discriminator; 0 is off

    OLDER = {"discriminator": "patchgan", "projected_weight": 0.0}

    @property
    def weights(self):
        """The names of the options that are weights of the generators' losses."""
        return "cycle_weight", "adversarial_weight", "projected_weight"

    def check(self):
        super().check()
        for name in ("pool_size", *self.weights):
            self.check_range(name, 0)
        if 0 < self.pool_size < self.batch_size:
            raise UserError(f"--pool-size {self.pool_size}: must be 0 or at least --batch-size {self.batch_size}")
        if not any(getattr(self, name) for name in self.weights):
            raise UserError(f"{', '.join(map(flag, self.weights))} are all 0: nothing to train")


@dataclasses.dataclass(frozen=True)
class Config(Cyclic):
    """Options of CycleGAN."""

    generator: Literal["resunet", "unet", "resnet"] = "resunet"  # generator; resnet is the paper's, and much slower
    dropout: float = 0.0  # dropout rate in the decoder of unet
    identity_weight: float = 5.0  # weight of the identity loss; 0 saves its computation

    @property
    def weights(self):
        return "cycle_weight", "identity_weight", "adversarial_weight", "projected_weight"

    def check(self):
        super().check()
        self.check_dropout()


PRESETS = {
    "default": Config(),
    # A U-Net, activations before normalizations, and a strong identity loss, as GAN books have it.
    "book": Config(generator="unet", discriminator="patchgan", projected_weight=0.0, identity_weight=9.0,
                   epochs=200, learning_rate_decay=False),
    # Sec. 7.1 and 7.2; the identity weight is that of the paper's public code, half the cycle weight.
    "paper": Config(generator="resnet", discriminator="patchgan-70", projected_weight=0.0,
                    image_size="256", epochs=200),
}

PRESET_OPTIONS = {}
