"""U-Net generator for image translation at any size divisible by 16."""
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.layers import Conv2D, Dropout, instance_normalization
from tf2gan.networks.upsampling import UpsamplingConv2D

WEIGHTS_STDDEV = 0.02  # "Weights are initialized from a Gaussian distribution N(0, 0.02)", Zhu et al. 2017, sec. 7.1


def convolution(filters, size, stride=1, **kwargs):
    """A convolution with the CycleGAN paper's initial weights; `same` padding unless told otherwise."""
    kwargs.setdefault("padding", "same")
    return Conv2D(filters, size, stride, kernel_initializer=initial_weights(), **kwargs)


def initial_weights():
    """The CycleGAN paper's initial weights."""
    return tf.keras.initializers.RandomNormal(stddev=WEIGHTS_STDDEV)


class UNet(tf.keras.Model):
    """Four halvings, four doublings, and skip connections at each size in between (Ronneberger et al. 2015).

    Images [batch, height, width, channels] in [-1, 1] in and out; height and width divisible by 16, at least 32.
    """

    size_multiple = 16
    size_minimum = 32  # at 16 the innermost feature maps are 1x1: instance normalization makes them 0

    def __init__(self, channels=3, filters=32, dropout=0.0, name="unet"):
        super().__init__(name=name, dtype="float32")
        widths = [filters, 2 * filters, 4 * filters, 8 * filters]
        self.down_convolutions = [convolution(width, 4, 2, name=f"down_{i}") for i, width in enumerate(widths)]
        self.down_norms = [instance_normalization(f"down_norm_{i}") for i in range(len(widths))]
        widths = widths[-2::-1]
        self.up_convolutions = [
            UpsamplingConv2D(width, 4, activation="relu", kernel_initializer=initial_weights(), name=f"up_{i}")
            for i, width in enumerate(widths)]
        self.up_norms = [instance_normalization(f"up_norm_{i}") for i in range(len(widths))]
        self.dropout = Dropout(dropout, name="dropout")
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")
        self.to_image = UpsamplingConv2D(channels, 4, kernel_initializer=initial_weights(), dtype="float32",
                                         name="to_image")

    def call(self, images, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x, skips = images, []
        for conv, norm in zip(self.down_convolutions, self.down_norms):
            x = norm(self.leaky_relu(conv(x)))
            skips.append(x)
        for i, (conv, norm, skip) in enumerate(zip(self.up_convolutions, self.up_norms, skips[-2::-1])):
            x = conv(x)
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
            x = tf.concat([norm(x), tf.cast(skip, tf.float32)], axis=-1)
        return tf.tanh(self.to_image(x))
