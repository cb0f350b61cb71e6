"""WGAN: a critic measures how far apart two distributions are (Arjovsky et al. 2017, arXiv 1701.07875).

Its slope is bounded by clipping its weights, or by a gradient penalty (WGAN-GP: Gulrajani et al. 2017, arXiv
1704.00028):

    critic:     min  mean(D(G(z))) - mean(D(x))  [+ 10 mean((|grad D(x^)| - 1)^2), x^ uniform between x and G(z)]
    generator:  min  -mean(D(G(z)))

The critic must be near its optimum for its distance to mean something, so it has several updates for each one of the
generator. `critic_distance` in the log is the estimate: it falls as the images become better.
"""
import dataclasses
from typing import Literal, Optional

from tf2gan.gans import dcgan


@dataclasses.dataclass(frozen=True)
class Config(dcgan.Config):
    """Options of WGAN."""

    loss: Literal["minimax", "non-saturating", "least-squares", "wasserstein", "hinge"] = "wasserstein"  # of both
    weight_clip: Optional[float] = 0.01  # the critic's weights are kept within plus and minus this
    n_critic: int = 5  # critic updates for each generator update, each on fresh real images
    half_batches: bool = False  # the critic's update takes half as many real and half as many generated images
    discriminator_dropout: float = 0.0  # rate in the critic's hidden layers
    discriminator_loss_weight: float = 1.0  # 1: the losses on real and on generated images are added, 0.5: their mean
    generator_optimizer: Literal["adam", "sgd", "rmsprop"] = "rmsprop"  # optimizer of the generator
    discriminator_optimizer: Literal["adam", "sgd", "rmsprop"] = "rmsprop"  # optimizer of the critic
    generator_learning_rate: float = 5e-5  # learning rate of the generator
    discriminator_learning_rate: float = 5e-5  # learning rate of the critic


class WGAN(dcgan.DCGAN):
    """The networks of DCGAN; the discriminator is a critic, whose logits are no probabilities.

    `NoiseToImage.train_step` is algorithm 1 of both papers too: `n_critic` updates of the critic, each on fresh real
    images, after each of which its weights are clipped, then one update of the generator.
    """

    Config = Config
    presets = {"wgan": Config(),
               "wgan-gp": Config(penalty="wgan-gp", weight_clip=None, discriminator_normalization="layer",
                                 generator_optimizer="adam", discriminator_optimizer="adam",
                                 generator_learning_rate=1e-4, discriminator_learning_rate=1e-4, beta_1=0.0,
                                 beta_2=0.9)}
    preset_options = {name: {"sample_every": 100, "num_samples": 25} for name in presets}
