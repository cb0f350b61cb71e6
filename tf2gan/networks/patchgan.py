"""PatchGAN discriminators (Isola et al. 2016, sec. 3.2.2): one logit for each patch of the image."""
import functools

import tensorflow as tf

from tf2gan.networks.layers import instance_normalization
from tf2gan.networks.resizing import nearest
from tf2gan.networks.unet import convolution


class PatchGAN(tf.keras.Model):
    """4x4 convolutions, then a map of logits.

    Images [batch, height, width, channels] in [-1, 1] -> float32 logits [batch, height / n, width / n, 1], where n is
    the product of `strides`. `filters`: channels of the first convolution; each later one has twice as many as the one
    before. All but the first are normalized: before the leaky ReLU if `norm_first`, as in the paper, else after it.
    """

    size_multiple = 16
    size_minimum = 32  # at 16 the last normalized feature maps are 1x1: instance normalization makes them 0

    def __init__(self, filters=64, strides=(2, 2, 2, 2), norm_first=False, name="patchgan"):
        super().__init__(name=name, dtype="float32")
        self.norm_first = norm_first
        self.convolutions = [convolution(filters * 2 ** i, 4, stride, name=f"conv_{i}")
                             for i, stride in enumerate(strides)]
        self.norms = [instance_normalization(f"norm_{i}") for i in range(1, len(strides))]
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")
        self.to_logits = convolution(1, 4, dtype="float32", name="to_logits")

    def call(self, images, training=False):
        """`training` has no effect: the network has no dropout."""
        x = self.leaky_relu(self.convolutions[0](images))
        for conv, norm in zip(self.convolutions[1:], self.norms):
            x = self.leaky_relu(norm(conv(x))) if self.norm_first else norm(self.leaky_relu(conv(x)))
        return self.to_logits(x)


class TwoScalePatchGAN(tf.keras.Model):
    """A PatchGAN of 46x46 patches for the image, and one for the image at half its size (Wang et al. 2017, sec. 3.2).

    Images [batch, height, width, channels] in [-1, 1] -> float32 logits [batch, height / 8, width / 8, 2]: those of the
    half size are repeated, so that both scales weigh the same in a mean. `filters` as in `PatchGAN`.
    """

    size_multiple = 16
    size_minimum = 32

    def __init__(self, filters=64, name="patchgan"):
        super().__init__(name=name, dtype="float32")
        self.scales = [PatchGAN(filters, (2, 2, 2), norm_first=True, name=f"scale_{i}") for i in range(2)]

    def call(self, images, training=False):
        """`training` has no effect: the networks have no dropout."""
        fine = self.scales[0](images)
        coarse = self.scales[1](tf.nn.avg_pool2d(images, 2, 2, "VALID"))
        return tf.concat([fine, nearest(coarse, tf.unstack(tf.shape(fine)[1:3]))], axis=-1)


# {name: function of (filters, name)}
DISCRIMINATORS = {
    "two-scale": TwoScalePatchGAN,
    "patchgan": PatchGAN,
    # That of the papers: patches of 70x70 pixels (Isola et al. 2016, sec. 6.1.2), normalized before the activation.
    "patchgan-70": functools.partial(PatchGAN, strides=(2, 2, 2, 1), norm_first=True)}
