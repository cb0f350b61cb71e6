"""The generator of pix2pix (Isola et al. 2016, arXiv 1611.07004, sec. 6.1.1): a U-Net down to one pixel."""
import math

import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.layers import Conv2DTranspose, Dropout, instance_normalization
from tf2gan.networks.unet import convolution, initial_weights

_MOST = 8  # channels of the small maps, in times `filters`
_DROPPED = 3  # of the decoder's layers have dropout, counted from the smallest map


class DeepUNet(tf.keras.Model):
    """4x4 convolutions of stride 2 until the shorter side of the map is one pixel, and back, with a skip at each size.

    Images [batch, height, width, channels] in [-1, 1] in and out; height and width multiples of `size`, a power of 2,
    the shorter side that it is made for. `filters`: channels of the first map; it doubles up to 8 times that. Maps of
    the smallest size are not normalized: with one pixel, instance normalization would make them 0.
    """

    def __init__(self, size, channels=3, filters=64, dropout=0.5, name="unet"):
        super().__init__(name=name, dtype="float32")
        self.size_multiple = self.size_minimum = size
        num = int(math.log2(size))
        widths = [filters * min(2 ** i, _MOST) for i in range(num)]
        self.down_convolutions = [convolution(width, 4, 2, use_bias=i in (0, num - 1), name=f"down_{i}")
                                  for i, width in enumerate(widths)]
        self.down_norms = [instance_normalization(f"down_norm_{i}") for i in range(1, num - 1)]
        self.up_convolutions = [_doubling(width, f"up_{i}", use_bias=False) for i, width in enumerate(widths[-2::-1])]
        self.up_norms = [instance_normalization(f"up_norm_{i}") for i in range(num - 1)]
        self.dropout = Dropout(dropout, name="dropout")
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")
        self.to_image = _doubling(channels, "to_image", dtype="float32")

    def call(self, images, training=False, seed=None):
        """`seed` (int tensor [2]) is needed for dropout in training."""
        norms = [None, *self.down_norms, None]
        x, skips = images, []
        for conv, norm in zip(self.down_convolutions, norms):
            x = conv(x)
            x = self.leaky_relu(x if norm is None else norm(x))
            skips.append(x)
        for i, (conv, norm, skip) in enumerate(zip(self.up_convolutions, self.up_norms, skips[-2::-1])):
            x = norm(conv(x))
            if i < _DROPPED:
                x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
            x = tf.nn.relu(tf.concat([tf.cast(x, tf.float32), tf.cast(skip, tf.float32)], axis=-1))
        return tf.tanh(self.to_image(x))


def _doubling(filters, name, **kwargs):
    return Conv2DTranspose(filters, 4, 2, padding="same", kernel_initializer=initial_weights(), name=name, **kwargs)
