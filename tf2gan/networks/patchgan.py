"""PatchGAN discriminator (Isola et al. 2016, sec. 3.2.2): one logit for each patch of the image."""
import tensorflow as tf

from tf2gan.networks.layers import instance_normalization
from tf2gan.networks.unet import convolution


class PatchGAN(tf.keras.Model):
    """Four convolutions that halve the size, then a map of logits.

    Images [batch, height, width, channels] in [-1, 1] -> float32 logits [batch, height / 16, width / 16, 1].
    """

    size_multiple = 16
    size_minimum = 32  # at 16 the last normalized feature maps are 1x1: instance normalization makes them 0

    def __init__(self, filters=64, name="patchgan"):
        super().__init__(name=name, dtype="float32")
        widths = [filters, 2 * filters, 4 * filters, 8 * filters]
        self.convolutions = [convolution(width, 4, 2, name=f"conv_{i}") for i, width in enumerate(widths)]
        self.norms = [instance_normalization(f"norm_{i}") for i in range(1, len(widths))]
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")
        self.to_logits = convolution(1, 4, dtype="float32", name="to_logits")

    def call(self, images, training=False):
        """`training` has no effect: the network has no dropout."""
        x = self.leaky_relu(self.convolutions[0](images))
        for conv, norm in zip(self.convolutions[1:], self.norms):
            x = norm(self.leaky_relu(conv(x)))
        return self.to_logits(x)
