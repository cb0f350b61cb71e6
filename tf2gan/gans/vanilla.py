"""GAN: the original, with dense layers (Goodfellow et al. 2014, arXiv 1406.2661).

The discriminator D learns to tell real images x from generated images G(z); G learns to make D take these for real:

    D:  min  -mean(log D(x)) - mean(log(1 - D(G(z))))
    G:  min  -mean(log D(G(z)))                           (sec. 3: the non-saturating form of eq. 1)
"""
from tf2gan.gans.configs.vanilla import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.latent_gan import LatentGAN
from tf2gan.networks.mlp import MLPDiscriminator, MLPGenerator


class GAN(LatentGAN):
    """Dense layers on both sides."""

    Config = Config
    presets, preset_options = PRESETS, PRESET_OPTIONS

    def make_generator(self, name):
        config = self.config
        return MLPGenerator(self.image_shape, config.widths("generator_widths"), config.leaky_slope,
                            config.generator_dropout, name=name)

    def make_discriminator(self):
        config = self.config
        return MLPDiscriminator(config.widths("discriminator_widths"), config.leaky_slope,
                                config.discriminator_dropout, config.discriminator_normalization)
