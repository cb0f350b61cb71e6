"""Projected GAN: a discriminator looks through a trained network, for few images (Sauer et al. 2021, 2111.01007).

A network that was trained on photographs turns images into maps of features of four depths, and is never changed. Fixed
random convolutions mix their channels and depths; a small discriminator judges each of the four, and only these learn:

    D:  min  mean(max(0, 1 - D(x))) + mean(max(0, 1 + D(G(z))))       the mean over all places of all four
    G:  min  -mean(D(G(z)))

The generator is FastGAN's (Liu et al. 2021, arXiv 2101.04775). Features that took a million photographs to learn need
not be learned from the few images that there are.

Other than in the paper, the discriminators have no batch normalization, and are told how much the images of a batch
differ (Karras et al. 2017, arXiv 1710.10196, sec. 3). With the paper's networks, `--preset paper`, small batches
collapsed.
"""
from tf2gan.gans.configs.projected_gan import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.latent_gan import LatentGAN, check_groups
from tf2gan.networks.fastgan import FastGenerator
from tf2gan.networks.projected import ImageJudge


class ProjectedGAN(LatentGAN):
    """FastGAN's generator against discriminators on a frozen network."""

    Config = Config
    takes_networks = ("generator",)
    presets, preset_options = PRESETS, PRESET_OPTIONS

    def make_generator(self, name):
        config = self.config
        return FastGenerator(self.image_shape, config.width, config.full_generator, name)

    def make_discriminator(self):
        config = self.config
        check_groups(config.real_batch_size, config.group_size)
        return ImageJudge(config.judged, config.discriminator_widths, config.judged_places,
                          config.discriminator_normalization == "batch", config.group_size)
