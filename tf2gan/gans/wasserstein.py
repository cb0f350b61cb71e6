"""WGAN: a critic measures how far apart two distributions are (Arjovsky et al. 2017, arXiv 1701.07875).

The critic's slope is bounded by clipping its weights, or by a gradient penalty (WGAN-GP: Gulrajani et al. 2017, arXiv
1704.00028):

    critic:     min  mean(D(G(z))) - mean(D(x))  [+ 10 mean((|grad D(x^)| - 1)^2), x^ uniform between x and G(z)]
    generator:  min  -mean(D(G(z)))

The estimated distance is only meaningful if the critic is near its optimum, so it gets several updates per generator
update. `critic_distance` in the log is the estimate: it falls as the images improve.
"""
from tf2gan.gans.configs.wasserstein import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.dcgan import DCGAN


class WGAN(DCGAN):
    """The networks of DCGAN; the discriminator is a critic, whose logits are not probabilities."""

    Config = Config
    presets, preset_options = PRESETS, PRESET_OPTIONS
