"""DCGAN: convolutions and batch normalization (Radford et al. 2015, arXiv 1511.06434).

The losses are those of the original GAN. Real and generated images pass the discriminator in separate batches, so that
each kind is normalized by its own statistics.
"""
from tf2gan.gans.configs.dcgan import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.latent_gan import LatentGAN
from tf2gan.networks.dcgan import PaperDiscriminator, StridedDiscriminator, UpsamplingGenerator
from tf2gan.networks.transposed import HouseNumberDiscriminator, TransposedGenerator


class DCGAN(LatentGAN):
    """Convolutions on both sides."""

    Config = Config
    presets, preset_options = PRESETS, PRESET_OPTIONS

    def make_generator(self, name):
        config = self.config
        if config.networks == "upsampling":
            return UpsamplingGenerator(self.image_shape, config.generator_filters or 64, config.generator_dropout, name)
        paper = {"slope": 0.0, "deviation": 0.02} if config.networks == "paper" else {}
        return TransposedGenerator(self.image_shape, config.generator_filters or 128, config.generator_dropout, name,
                                   **paper)

    def make_discriminator(self):
        config = self.config
        if config.networks == "upsampling":
            return StridedDiscriminator(config.discriminator_filters or 32, dropout=config.discriminator_dropout,
                                        normalization=config.discriminator_normalization)
        if config.networks == "paper":
            return PaperDiscriminator(self.image_shape, config.discriminator_filters or 128,
                                      dropout=config.discriminator_dropout,
                                      normalization=config.discriminator_normalization)
        return HouseNumberDiscriminator(config.discriminator_filters or 64, dropout=config.discriminator_dropout,
                                        normalization=config.discriminator_normalization)
