"""FastGAN: a light generator, and a discriminator that has to restore images (Liu et al. 2021, arXiv 2101.04775).

From few images a discriminator soon learns by heart which they are. Here its features must also be enough for small
decoders to restore real images x from them, so they have to be about all that is to be seen (sec. 3.2):

    D:  min  mean(max(0, 1 - D(x))) + mean(max(0, 1 + D(G(z)))) + mean distance(decoded(features(x)), x)
    G:  min  -mean(D(G(z)))

The distance is perceptual, as in the paper, by another network that has seen photographs, and has no weight. Three
decoders restore the image, a random quarter of it, and the image from what a second, coarser encoder sees.
"""
import tensorflow as tf

from tf2gan.gans import losses
from tf2gan.gans.configs.fastgan import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.latent_gan import LatentGAN
from tf2gan.networks import efficientnet
from tf2gan.networks.fastgan import FastDiscriminator, FastGenerator


class FastGAN(LatentGAN):
    """Gated convolutions and small maps that weigh the channels of large ones, against an encoder with decoders."""

    Config = Config
    takes_networks = ("generator",)
    presets, preset_options = PRESETS, PRESET_OPTIONS

    def make_generator(self, name):
        return FastGenerator(self.image_shape, self.config.width, full=True, name=name)

    def make_discriminator(self):
        network = FastDiscriminator(self.image_shape, self.config.width)
        if self.config.restore is not None:
            network.restored(tf.zeros([1, *self.image_shape]), tf.zeros([1], tf.int32))  # builds the decoders
        if self.config.restore == "perceptual":
            self._seeing = efficientnet.EfficientNetLite0()
        return network

    def discriminator_loss(self, real, fake, *condition, number=0, penalized=True):
        """The adversarial loss, and that of the restored images; also the logs."""
        loss, logs = super().discriminator_loss(real, fake, *condition, number=number, penalized=penalized)
        if self.config.restore is not None:
            logs["restored"] = self.restored_loss(self.shown(real, f"real{number}"), number)
            loss += logs["restored"]
        return loss, logs

    def restored_loss(self, real, number=0):
        """The mean distance between what the decoders make and what they should, added up over them."""
        part = tf.cast(4.0 * self.draw("uniform", [real.shape[0]], f"part{number}"), tf.int32)
        pairs = self.discriminator.restored(real, part, training=True)
        return tf.add_n([tf.reduce_mean(self._distance(made, target)) for made, target in pairs])

    def _distance(self, made, target):
        if self.config.restore == "l1":
            return losses.mean_absolute_error(made, target)
        made, target = (127.5 * (tf.repeat(x, 3, axis=-1) if x.shape[-1] == 1 else x) + 127.5 for x in (made, target))
        return efficientnet.perceptual_distance(self._seeing, made, tf.stop_gradient(target))
