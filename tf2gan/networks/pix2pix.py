"""The generator of pix2pix (Isola et al. 2016, arXiv 1611.07004, sec. 6.1.1): a U-Net down to one pixel.

On its smallest maps there is little to compute and much to read: most of its weights. There its convolutions are matrix
products, which read the weights as they are; TensorFlow's would first bring them into another order, each time.
"""
import math

import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.layers import AddingConv2D, Conv2DTranspose, Dropout, instance_normalization
from tf2gan.networks.unet import initial_weights

_MOST = 8  # channels of the small maps, in times `filters`
_FEW = 16  # pixels in all maps of a batch, on the smaller side, up to which matrix products are faster
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
        self.down_convolutions = [_Halving(width, 4, 2, padding="same", kernel_initializer=initial_weights(),
                                           use_bias=i in (0, num - 1), name=f"down_{i}")
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
    return _Doubling(filters, 4, 2, padding="same", kernel_initializer=initial_weights(), name=name, **kwargs)


class _Halving(AddingConv2D):
    """A 4x4 convolution of stride 2: [batch, height, width, channels] -> [batch, height / 2, width / 2, filters]."""

    def convolution_op(self, inputs, kernel):
        kernel = tf.convert_to_tensor(kernel)
        if not _few(inputs, 4 * _FEW) or inputs.shape[1] % 2 or inputs.shape[2] % 2:
            return tf.nn.conv2d(inputs, kernel, 2, "SAME")
        batch, height, width, channels = inputs.shape
        padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]])
        # What the 16 weights of an output see.
        seen = tf.concat([padded[:, row:row + height:2, column:column + width:2]
                          for row in range(4) for column in range(4)], axis=-1)
        outputs = tf.matmul(tf.reshape(seen, [-1, 16 * channels]), tf.reshape(kernel, [16 * channels, self.filters]))
        return tf.reshape(outputs, [batch, height // 2, width // 2, self.filters])


class _Doubling(Conv2DTranspose):
    """A 4x4 transposed convolution of stride 2: [batch, height, width, channels] -> [batch, 2 height, 2 width, ...]."""

    def call(self, inputs):
        if not _few(inputs, _FEW):
            return super().call(inputs)
        batch, height, width, channels = inputs.shape
        kernel = tf.reshape(tf.cast(tf.convert_to_tensor(self.kernel), inputs.dtype), [16 * self.filters, channels])
        outputs = tf.matmul(tf.reshape(inputs, [-1, channels]), kernel, transpose_b=True)
        outputs = tf.reshape(outputs, [batch, height, width, 4, 4, self.filters])
        outputs = _overlaid(tf.transpose(outputs, [0, 2, 4, 1, 3, 5]))  # [batch, width, 4, 2 height, filters]
        outputs = _overlaid(tf.transpose(outputs, [0, 3, 1, 2, 4]))  # [batch, 2 height, 2 width, filters]
        return self.activation(outputs + tf.cast(self.bias, outputs.dtype) if self.use_bias else outputs)


def _few(inputs, most):
    """Whether the maps have at most so many pixels, which must be known beforehand."""
    pixels = inputs.shape[:3].num_elements()
    return pixels is not None and pixels <= most


def _overlaid(x):
    """[..., size, 4, channels] -> [..., 2 size, channels]: entry t of place i is added to place 2 i + t - 1."""
    *_, size, _, channels = x.shape
    before = [[0, 0]] * (len(x.shape) - 3) + [[1, 0], [0, 0]]
    after = [[0, 0]] * (len(x.shape) - 3) + [[0, 1], [0, 0]]
    even = x[..., 1, :] + tf.pad(x[..., :-1, 3, :], before)
    odd = x[..., 2, :] + tf.pad(x[..., 1:, 0, :], after)
    return tf.reshape(tf.stack([even, odd], axis=-2), [*x.shape[:-3], 2 * size, channels])
