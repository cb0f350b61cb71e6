"""Colours of images, in the graph."""
import tensorflow as tf


def grey(images):
    """The luma of images [..., 3], uint8 or float, in all three channels."""
    return tf.image.grayscale_to_rgb(tf.image.rgb_to_grayscale(images))
