"""The extractor `imagenet`: EfficientNet-Lite0, which has seen photographs, without a network.

Its distances are not those of Inception in papers, and cannot be compared with them. It is blind where images are no
photographs: digits and line drawings all look alike to it.
"""
import functools

import numpy as np
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.metrics.saved_features import check_images
from tf2gan.networks import efficientnet

_BATCH = 32  # images per call of the network, half a GB; independent of the caller's batch size


class ImageNet:
    """The network as an extractor. Attributes as in `features`; `name` has the network, its hash and the resize."""

    def __init__(self):
        """Raises UserError if the weights are not installed, or damaged."""
        self._network = efficientnet.EfficientNetLite0()
        self._run = tf.function(lambda images: self._network(efficientnet.resized(images)), autograph=False,
                                input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
        self.hash, self.num_features = efficientnet.SHA256, efficientnet.NUM_FEATURES
        self.name = f"imagenet-lite0-{self.hash[:6]}-bicubic{efficientnet.SIZE}"
        self.info = {"network": "EfficientNet-Lite0", "features": "mean over the last map",
                     "resize": f"bicubic, antialiased, to {efficientnet.SIZE}x{efficientnet.SIZE}",
                     "scaling": "(x - 127) / 128", "channels": "3", "num_classes": efficientnet.NUM_CLASSES}

    def __call__(self, images):
        """Runs the network on images uint8 [n, height, width, 3], n > 0. Raises UserError for grey ones.

        Returns {"features": float32 [n, 1280], "probabilities": float32 [n, 1000]}.
        """
        check_images(images)
        check_channels(images.shape[-1])
        parts = [self._run(images[i:i + _BATCH]) for i in range(0, len(images), _BATCH)]
        features, logits = (np.concatenate(part) for part in zip(*parts))
        return {"features": features, "probabilities": tf.nn.softmax(logits).numpy()}


def check():
    """Raises UserError if the weights are not installed; does not read them."""
    efficientnet.find()


def check_channels(num):
    """Raises UserError unless images have three channels."""
    if num != 3:
        raise UserError("--extractor imagenet: these images are grey, and the network has seen colour photographs; "
                        "possible: classifier, or metrics that need none")


@functools.lru_cache(maxsize=None)
def made() -> ImageNet:
    """The extractor; one for the process, since its graph takes seconds to make."""
    return ImageNet()
