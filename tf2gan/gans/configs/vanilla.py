"""Options and presets of the GAN of dense layers."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError, flag
from tf2gan.gans.configs import latent


@dataclasses.dataclass(frozen=True)
class Config(latent.Config):
    """Options of the GAN of dense layers."""

    batch_size: int = 128  # generated images per generator update, over all replicas together
    steps: Optional[int] = 20_000  # length of the whole training in steps; give one of steps, images, epochs
    generator_widths: str = "128"  # units of the generator's hidden layers, separated by commas
    discriminator_widths: str = "128"  # units of the discriminator's hidden layers, separated by commas
    discriminator_normalization: Optional[Literal["spectral"]] = None  # of the discriminator's weights
    leaky_slope: float = 0.01  # negative slope of the leaky ReLUs
    discriminator_loss_weight: float = 0.5  # 1: sum of the losses on real and on generated images; 0.5: their mean
    generator_learning_rate: float = 1e-3  # learning rate of the generator
    discriminator_learning_rate: float = 1e-3  # learning rate of the discriminator

    def check(self):
        super().check()
        self.check_range("leaky_slope", 0)
        for name in ("generator_widths", "discriminator_widths"):
            self.widths(name)

    def widths(self, name):
        """The field `name` as a list of ints. Raises UserError if it is not one."""
        text = getattr(self, name)
        if not all(part.strip().isdecimal() and int(part) for part in text.split(",")):
            raise UserError(f"{flag(name)} {text}: must be numbers from 1 on with commas between, such "
                            "as 256,512")
        return [int(part) for part in text.split(",")]


PRESETS = {
    "gan": Config(),
    "gan-smooth": Config(latent_distribution="uniform", real_label=0.9, batch_size=100, steps=None, epochs=100,
                         discriminator_loss_weight=1.0, generator_learning_rate=2e-3,
                         discriminator_learning_rate=2e-3),
    "gan-deep": Config(latent_size=256, latent_distribution="uniform", generator_widths="256,512,1024",
                       discriminator_widths="256", leaky_slope=0.3, discriminator_dropout=0.3, batches="joint",
                       real_label=0.9, fake_label=0.1, discriminator_optimizer="sgd", batch_size=100, steps=None,
                       epochs=400, generator_learning_rate=1e-5, discriminator_learning_rate=1e-2),
}

PRESET_OPTIONS = {"gan": {"sample_every": 1000, "num_samples": 16},
                  "gan-smooth": {"sample_every": 600, "num_samples": 16},
                  "gan-deep": {"sample_every": 600, "num_samples": 16}}
