"""A perceptual distance: beside numpy, its properties, and what it is to tell apart."""
import numpy as np
import pytest
import tensorflow as tf
from test_imagenet import waves

from tf2gan.core.errors import UserError
from tf2gan.metrics import perceptual
from tf2gan.networks import efficientnet


def blurred(pictures, size):
    small = tf.image.resize(pictures, [size, size], antialias=True)
    return tf.cast(tf.image.resize(small, pictures.shape[1:3], "bicubic"), tf.uint8).numpy()


def noise(num, seed=0, size=64):
    return np.random.default_rng(seed).integers(0, 256, [num, size, size, 3], np.uint8)


def test_the_definition_in_numpy():
    first, second = waves(3), waves(3, seed=1)
    network, expected = efficientnet.EfficientNetLite0(), np.zeros(3)
    for ours, theirs in zip(*(network.maps(efficientnet.resized(tf.constant(images))) for images in (first, second))):
        parts = [part.numpy().astype(np.float64) for part in (ours, theirs)]
        ours, theirs = (part / np.sqrt((part ** 2).sum(-1, keepdims=True) + 1e-10) for part in parts)
        expected += ((ours - theirs) ** 2).sum(-1).mean((1, 2))
    np.testing.assert_allclose(perceptual.distances(first, second), expected, rtol=1e-4)


def test_equal_pictures_have_none_and_the_order_does_not_matter():
    first, second = waves(5), noise(5)
    assert np.abs(perceptual.distances(first, first)).max() < 1e-6
    found = perceptual.distances(first, second)
    assert found.shape == (5,) and found.dtype == np.float32 and (found > 0.1).all() and (found < 16).all()
    np.testing.assert_allclose(perceptual.distances(second, first), found, rtol=1e-4)


def test_each_pair_is_measured_by_itself():
    first, second = waves(20), noise(20)
    found = perceptual.distances(first, second)
    np.testing.assert_allclose(perceptual.distances(first[17:], second[17:]), found[17:], rtol=1e-4)


def test_more_blur_is_farther():
    pictures = noise(4, size=96)
    distances = [perceptual.distances(pictures, blurred(pictures, size)).mean() for size in (64, 32, 12)]
    assert distances == sorted(distances) and distances[0] > 0.05


def test_a_small_shift_is_nearer_than_what_differs_as_much_in_pixels():
    """What a mean over pixels cannot tell: a shifted picture is still that picture."""
    pictures = blurred(noise(6, size=72), 24)
    original, shifted = pictures[:, 4:68, 4:68], pictures[:, 4:68, 6:70]
    error = np.abs(original.astype(float) - shifted).mean()
    random = np.random.default_rng(1).normal(0, 1, original.shape)
    noisy = np.clip(original + random * error / np.abs(random).mean(), 0, 255).astype(np.uint8)
    assert perceptual.distances(original, shifted).mean() < 0.7 * perceptual.distances(original, noisy).mean()


def test_it_has_a_gradient():
    target = tf.cast(waves(1, 32), tf.float32)
    made = tf.Variable(tf.fill(target.shape, 127.0))
    network = efficientnet.EfficientNetLite0()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(perceptual.distance(network, made, target))
    gradient = tape.gradient(loss, made).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_grey_pictures_are_refused():
    with pytest.raises(UserError, match="grey"):
        perceptual.distances(waves(1)[..., :1], waves(1)[..., :1])
