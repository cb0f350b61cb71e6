"""A perceptual distance: how far two pictures are apart for a network that has seen photographs.

The unweighted form of Zhang et al. 2018 (LPIPS, eq. 1 with all weights 1), on maps of EfficientNet-Lite0 instead of
AlexNet or VGG: its values are not those of LPIPS in papers, and are named differently.
"""
import functools

import numpy as np
import tensorflow as tf

from tf2gan.metrics import imagenet
from tf2gan.networks import efficientnet

NAME = "perceptual"
DEPTHS = ", ".join(map(str, efficientnet.MAPS))
INFO = f"EfficientNet-Lite0, maps after blocks {DEPTHS}, unit length a position, unweighted"
_BATCH = 16  # pairs at once


def distance(network, first, second):
    """`efficientnet.perceptual_distance`, float32 [n], of images brought to the network's size; differentiable.

    Images float32 [n, height, width, 3] in [0, 255].
    """
    return efficientnet.perceptual_distance(network, efficientnet.resized(first), efficientnet.resized(second))


@functools.lru_cache(maxsize=None)
def _compiled():
    network = efficientnet.EfficientNetLite0()
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    return tf.function(lambda first, second: distance(network, first, second), autograph=False,
                       input_signature=[spec, spec])


def distances(first, second) -> np.ndarray:
    """float32 [n]: `distance` of pairs of pictures, uint8 [n, height, width, 3]. Raises UserError for grey ones."""
    imagenet.check_channels(first.shape[-1])
    run = _compiled()
    return np.concatenate([run(first[i:i + _BATCH], second[i:i + _BATCH]).numpy()
                           for i in range(0, len(first), _BATCH)])
