"""Other sizes of images and maps. Unlike tf.image.resize, XLA compiles these with their gradients."""
import tensorflow as tf


def doubled(images):
    """[batch, height, width, channels] with each pixel repeated as 2x2 pixels."""
    # As tf.repeat, twice, but an export keeps the sizes, which converters to other formats need.
    _, height, width, channels = images.shape
    rows = tf.reshape(tf.tile(images[:, :, tf.newaxis], [1, 1, 2, 1, 1]), [-1, 2 * height, width, channels])
    return tf.reshape(tf.tile(rows[:, :, :, tf.newaxis], [1, 1, 1, 2, 1]), [-1, 2 * height, 2 * width, channels])


def nearest(images, shape):
    """[batch, height, width, channels] -> [batch, *shape, channels]: of each place, the pixel nearest to its middle."""
    for axis, size in zip((1, 2), shape):
        images = tf.gather(images, (2 * tf.range(size) + 1) * tf.shape(images)[axis] // (2 * size), axis=axis)
    return images


def shrunk(images, size):
    """float32 [batch, n, n, channels] -> [batch, size, size, channels], bilinear with antialiasing."""
    num = images.shape[1]
    with tf.init_scope():  # each new row or column is a weighted mean of old ones: these weights
        weights = tf.image.resize(tf.eye(num)[..., tf.newaxis], [size, num], "bilinear", antialias=True)[..., 0]
    return tf.einsum("yi,bijc,xj->byxc", weights, images, weights)
