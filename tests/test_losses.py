"""Losses at points where the value is known without a computer."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan import losses


@pytest.mark.parametrize("values, target, expected", [
    ([1.0, 2.0, 3.0], 1.0, (0 + 1 + 4) / 3),
    ([[1.0, -1.0], [3.0, 0.0]], [[0.0, 1.0], [3.0, 2.0]], (1 + 4 + 0 + 4) / 4),
])
def test_mean_squared_error(values, target, expected):
    assert float(losses.mean_squared_error(tf.constant(values), target)) == pytest.approx(expected)


@pytest.mark.parametrize("values, target, expected", [
    ([1.0, 2.0, -3.0], 1.0, (0 + 1 + 4) / 3),
    ([[1.0, -1.0], [3.0, 0.0]], [[0.0, 1.0], [3.0, 2.0]], (1 + 2 + 0 + 2) / 4),
])
def test_mean_absolute_error(values, target, expected):
    assert float(losses.mean_absolute_error(tf.constant(values), tf.constant(target))) == pytest.approx(expected)


@pytest.mark.parametrize("real, fake, expected", [
    ([1.0, 1.0], [0.0, 0.0], 0.0),  # what the discriminator aims at
    ([0.0, 0.0], [1.0, 1.0], 1.0),  # all wrong
    ([0.0, 0.0], [0.0, 0.0], 0.5),
    ([3.0, 1.0], [-1.0, 2.0], (4 + 0) / 4 + (1 + 4) / 4),
])
def test_least_squares_discriminator(real, fake, expected):
    assert float(losses.least_squares_discriminator(tf.constant(real), tf.constant(fake))) == pytest.approx(expected)


@pytest.mark.parametrize("fake, expected", [([1.0, 1.0], 0.0), ([0.0, 0.0], 1.0), ([3.0, 0.0], (4 + 1) / 2)])
def test_least_squares_generator(fake, expected):
    assert float(losses.least_squares_generator(tf.constant(fake))) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [[5], [2, 3, 4, 1]])
def test_scalars_of_any_shape(shape):
    """A constant input gives the same whatever its shape: the losses are means, not sums."""
    values = tf.fill(shape, 3.0)
    results = [losses.mean_squared_error(values, 1.0), losses.mean_absolute_error(values, 1.0),
               losses.least_squares_discriminator(values, values), losses.least_squares_generator(values)]
    assert all(result.shape == [] for result in results)
    np.testing.assert_allclose(results, [4, 2, (4 + 9) / 2, 4])


def test_float32_from_half_precision():
    """1 + 1/512 is 1 in bfloat16, so that the mean shows in which precision the sums were made."""
    values = tf.cast(tf.concat([tf.zeros([511]), tf.ones([513])], axis=0), tf.bfloat16)
    for result in (losses.mean_squared_error(values, 0.0), losses.mean_absolute_error(values, tf.zeros_like(values)),
                   losses.least_squares_generator(1 - values),
                   losses.least_squares_discriminator(1 - values, values)):
        assert result.dtype == tf.float32
        assert float(result) == 513 / 1024


def test_gradients_pull_the_right_way():
    real, fake = tf.Variable([0.5]), tf.Variable([0.5])
    with tf.GradientTape(persistent=True) as tape:
        discriminator = losses.least_squares_discriminator(real, fake)
        generator = losses.least_squares_generator(fake)
    assert tape.gradient(discriminator, [real, fake]) == [-0.5, 0.5]
    assert tape.gradient(generator, fake) == -1.0
