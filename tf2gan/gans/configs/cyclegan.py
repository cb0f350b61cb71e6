"""Options and presets of CycleGAN."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError, flag
from tf2gan.gans.configs import translation


@dataclasses.dataclass(frozen=True)
class Config(translation.Config):
    """Options of CycleGAN."""

    epochs: Optional[int] = 60  # length of the whole training in passes over the larger of the two domains
    generator: Literal["resunet", "unet", "resnet"] = "resunet"  # generator; resnet is the paper's, and much slower
    generator_filters: Optional[int] = None  # channels of its first convolution; none: 32, or 64 for resnet
    num_blocks: Optional[int] = None  # residual blocks; none: 4 for resunet, 6 for resnet, 9 from 256 pixels on
    dropout: float = 0.0  # dropout rate in the decoder of unet
    discriminator: Literal["two-scale", "patchgan", "patchgan-70"] = "two-scale"  # patchgan-70 is the paper's
    discriminator_filters: int = 64  # channels of the discriminators' first convolution
    cycle_weight: float = 10.0  # weight of each of the two cycle consistency losses (the paper's lambda)
    identity_weight: float = 5.0  # weight of the identity loss; 0 saves its computation
    adversarial_weight: float = 1.0  # weight of the generators' least-squares loss
    projected_weight: float = 1.0  # weight of a second loss, by discriminators on a frozen network; 0: have none
    pool_size: int = 50  # earlier generated images kept to show to each discriminator; 0 is off

    OLDER = {"discriminator": "patchgan", "projected_weight": 0.0}

    def check(self):
        super().check()
        for name, low, high in (("dropout", 0, 0.99), ("cycle_weight", 0, None), ("identity_weight", 0, None),
                                ("adversarial_weight", 0, None), ("projected_weight", 0, None), ("pool_size", 0, None),
                                ("discriminator_filters", 1, None)):
            self.check_range(name, low, high)
        for name in ("generator_filters", "num_blocks"):
            if getattr(self, name) is not None:
                self.check_range(name, 1)
        if self.dropout and self.generator != "unet":
            raise UserError(f"--dropout {self.dropout}: the generator {self.generator} has none; possible: 0, or "
                            "--generator unet")
        if 0 < self.pool_size < self.batch_size:
            raise UserError(f"--pool-size {self.pool_size}: must be 0 or at least --batch-size {self.batch_size}")
        weights = ("cycle_weight", "identity_weight", "adversarial_weight", "projected_weight")
        if not any(getattr(self, name) for name in weights):
            raise UserError(f"{', '.join(map(flag, weights))} are all 0: nothing to train")


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
