"""Discriminators on a frozen network, as a second judge beside a method's own (Sauer et al. 2021, arXiv 2111.01007)."""
import tensorflow as tf

from tf2gan.gans import losses
from tf2gan.gans.augmentation import translation
from tf2gan.networks import efficientnet
from tf2gan.networks.projected import ProjectedDiscriminator, example_maps


class Projected(tf.Module):
    """One frozen network, and a `ProjectedDiscriminator` for each of several kinds of images."""

    def __init__(self, names, image_shape, filters):
        """`names`: of the discriminators; `image_shape`: (height, width); `filters`: see `ProjectedDiscriminator`."""
        super().__init__(name="projected")
        self.frozen = efficientnet.EfficientNetLite0()
        self.example = example_maps(*image_shape)
        self.discriminators = {name: ProjectedDiscriminator(filters, name=name) for name in names}
        for discriminator in self.discriminators.values():
            discriminator(self.example)

    @property
    def networks(self) -> dict:
        """{name: (network, its inputs for one example)}."""
        return {name: (network, [self.example]) for name, network in self.discriminators.items()}

    def logits(self, images, draw, purpose) -> dict:
        """{name: a list of maps of logits}, in training.

        They see each image shifted at random. The network's strides make a grid that then lies elsewhere on each image,
        and what they see does not always end where the image ends. So they teach the generator no pattern of that grid,
        and none that belongs into one corner.

        Args:
            images: {name: [batches of images [n, height, width, 3] in [-1, 1], whose logits follow each other]}, of one
                shape and equally many for each name.
            draw: `GAN.draw`; purpose: of the random numbers.
        """
        batches = [batch for parts in images.values() for batch in parts]
        shown = [translation(batch, draw, f"{purpose}_{i}") for i, batch in enumerate(batches)]
        maps = self.frozen.maps(127.5 * (tf.concat(shown, axis=0) + 1.0))
        of_each = zip(*(tf.split(each, len(images)) for each in maps))
        return {name: self.discriminators[name](list(of), training=True) for name, of in zip(images, of_each)}


def generator_loss(logits):
    """Minus the mean logit, over several maps that weigh the same."""
    return _mean([losses.wasserstein_generator(each) for each in logits])


def discriminator_loss(logits):
    """The hinge loss, over several maps that weigh the same; the first half of each is of real images."""
    return _mean([losses.hinge_discriminator(*tf.split(each, 2)) for each in logits])


def _mean(values):
    return tf.add_n(values) / len(values)
