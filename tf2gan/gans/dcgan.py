"""DCGAN: convolutions and batch normalization (Radford et al. 2015, arXiv 1511.06434).

The losses are those of the first GAN. Real and generated images pass the discriminator separately, so that each kind is
normalized by its own statistics.
"""
import dataclasses
from typing import Literal, Optional

from tf2gan.gans import noise_options
from tf2gan.gans.noise_to_image import NoiseToImage
from tf2gan.networks.dcgan import StridedDiscriminator, UpsamplingGenerator
from tf2gan.networks.svhn import HouseNumberDiscriminator, TransposedGenerator


@dataclasses.dataclass(frozen=True)
class Config(noise_options.Config):
    """Options of DCGAN."""

    steps: Optional[int] = 5_000  # length of the whole training; give one of steps, images, epochs
    half_batches: bool = True  # the discriminator's update takes half as many real and half as many generated images
    networks: Literal["upsampling", "transposed"] = "upsampling"  # how the generator's maps grow
    generator_filters: Optional[int] = None  # channels before the image; none: 64 for upsampling, 128 for transposed
    discriminator_filters: Optional[int] = None  # channels of its first convolution; none: 32 for upsampling, else 64
    discriminator_normalization: Optional[Literal["batch", "layer"]] = "batch"  # batch is unsound with a penalty
    discriminator_dropout: float = 0.25  # rate in the discriminator's hidden layers
    discriminator_loss_weight: float = 0.5  # 1: the losses on real and on generated images are added, 0.5: their mean
    beta_1: float = 0.5  # of Adam

    @property
    def size_rule(self):
        if self.networks == "upsampling":
            return UpsamplingGenerator.size_multiple, UpsamplingGenerator.size_minimum
        return TransposedGenerator.size_multiple, max(TransposedGenerator.size_minimum,
                                                      HouseNumberDiscriminator.size_minimum)

    def check(self):
        super().check()
        for name in ("generator_filters", "discriminator_filters"):
            if getattr(self, name) is not None:
                self.check_range(name, 1)


class DCGAN(NoiseToImage):
    """Convolutions on both sides; the update, `NoiseToImage.train_step`, is that of the first GAN."""

    Config = Config
    presets = {"dcgan": Config(),
               "dcgan-transpose": Config(dataset="svhn_cropped", networks="transposed", discriminator_dropout=0.5)}
    preset_options = {name: {"sample_every": 50, "num_samples": 25} for name in presets}

    def make_generator(self, name):
        config = self.config
        if config.networks == "upsampling":
            return UpsamplingGenerator(self.image_shape, config.generator_filters or 64, config.generator_dropout, name)
        return TransposedGenerator(self.image_shape, config.generator_filters or 128, config.generator_dropout, name)

    def make_discriminator(self):
        config = self.config
        if config.networks == "upsampling":
            return StridedDiscriminator(config.discriminator_filters or 32, dropout=config.discriminator_dropout,
                                        normalization=config.discriminator_normalization)
        return HouseNumberDiscriminator(config.discriminator_filters or 64, dropout=config.discriminator_dropout,
                                        normalization=config.discriminator_normalization)
