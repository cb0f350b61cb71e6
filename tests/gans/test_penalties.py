"""Gradient penalties of critics whose gradient is known: linear ones, and quadratic ones, where the point matters."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.gans import losses

SHAPE = (2, 3, 1)
DIRECTION = np.arange(1.0, 7.0).reshape(SHAPE) / np.sqrt(91)  # of length 1


def noise(seed, num=4):
    return np.random.default_rng(seed).normal(size=[num, *SHAPE]).astype(np.float32)


def uniform(seed, num=4):
    return np.random.default_rng(seed).uniform(size=[num, *SHAPE]).astype(np.float32)


REAL, FAKE, UNIFORM = noise(1), noise(2) + 3, uniform(3)


def penalty(name, critic, real=REAL, fake=FAKE, points=UNIFORM):
    return float(losses.PENALTIES[name](critic, tf.constant(real), tf.constant(fake), tf.constant(points)))


def linear(slope):
    """D(x) = a x + 7, |a| = slope."""
    weights = tf.constant(slope * DIRECTION, tf.float32)
    return lambda images: tf.reduce_sum(weights * images, axis=[1, 2, 3], keepdims=True)[:, 0, 0] + 7.0


def quadratic(images):
    """D(x) = |x|^2 / 2, whose gradient is x."""
    return tf.reduce_sum(images ** 2, axis=[1, 2, 3]) / 2


def lengths(images):
    return np.sqrt((np.asarray(images, np.float64) ** 2).sum(axis=(1, 2, 3)))


@pytest.mark.parametrize("name, at_5, at_1, at_half", [
    ("wgan-gp", 16, 0, 0.25), ("wgan-gp-one-sided", 16, 0, 0), ("dragan", 16, 0, 0.25), ("r1", 12.5, 0.5, 0.125),
    ("r2", 12.5, 0.5, 0.125), ("r1-r2", 25, 1, 0.25)])
def test_linear_critic(name, at_5, at_1, at_half):
    assert set(losses.PENALTIES) == {"wgan-gp", "wgan-gp-one-sided", "dragan", "r1", "r2", "r1-r2"}
    for slope, expected in ((5, at_5), (1, at_1), (0.5, at_half)):
        assert penalty(name, linear(slope)) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_penalty_of_an_exact_slope_is_exact():
    """3, 4, 0 ... is of length 5 without rounding."""
    weights = np.zeros([1, *SHAPE], np.float32)
    weights[0, 0, :2, 0] = 3, 4
    found = [penalty(name, lambda images: tf.reduce_sum(weights * images, axis=[1, 2, 3])) for name in losses.PENALTIES]
    assert found == [16, 16, 16, 12.5, 12.5, 25]


def test_interpolates_lie_between_each_real_image_and_its_generated_one():
    """D's gradient is the point itself; one epsilon an image, which counts for the real one."""
    epsilon = np.array([0.0, 1.0, 0.25, 0.6]).reshape([4, 1, 1, 1])
    points = (epsilon * np.ones([4, *SHAPE])).astype(np.float32)
    between = epsilon * REAL + (1 - epsilon) * FAKE
    expected = np.mean((lengths(between) - 1) ** 2)
    assert penalty("wgan-gp", quadratic, points=points) == pytest.approx(expected, rel=1e-5)
    assert penalty("wgan-gp", quadratic, FAKE, REAL, points) != pytest.approx(expected, rel=0.1)
    near, far = (factor * between / lengths(between).reshape([4, 1, 1, 1]) for factor in (0.5, 3))
    for images, expected in ((near, 0), (far, 4)):  # real and generated are equal, so is all between
        images = images.astype(np.float32)
        assert penalty("wgan-gp-one-sided", quadratic, images, images) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["wgan-gp", "wgan-gp-one-sided"])
def test_an_interpolate_is_on_the_line_whatever_the_noise(name):
    """The share of the real image is the same in all pixels, and differs from image to image."""
    seen = []
    penalty(name, lambda images: seen.append(images) or quadratic(images))
    share = (seen[0] - FAKE) / (REAL - FAKE)
    share = share.numpy().reshape([4, -1])
    np.testing.assert_allclose(share, share[:, :1] * np.ones_like(share), atol=1e-4)
    assert (share > 0).all() and (share < 1).all() and np.ptp(share[:, 0]) > 0.05


def test_dragan_perturbs_real_images_by_half_their_deviation():
    real = REAL * np.array([1, 2, 3, 4], np.float32).reshape([4, 1, 1, 1]) + 5
    deviation = real.std(axis=(1, 2, 3), keepdims=True)
    expected = np.mean((lengths(real + deviation / 2 * UNIFORM) - 1) ** 2)
    assert penalty("dragan", quadratic, real) == pytest.approx(expected, rel=1e-5)
    assert penalty("dragan", quadratic, real, fake=real + np.nan) == pytest.approx(expected, rel=1e-5)


def test_r1_is_at_real_images_only_and_r2_at_generated_ones():
    expected = np.mean(lengths(REAL) ** 2) / 2, np.mean(lengths(FAKE) ** 2) / 2
    nowhere = UNIFORM + np.nan
    assert penalty("r1", quadratic, fake=FAKE + np.nan, points=nowhere) == pytest.approx(expected[0], rel=1e-5)
    assert penalty("r2", quadratic, real=REAL + np.nan, points=nowhere) == pytest.approx(expected[1], rel=1e-5)
    assert penalty("r1-r2", quadratic, points=nowhere) == pytest.approx(sum(expected), rel=1e-5)


def gradient(name, function, weights):
    """d penalty / d weights of the critic function(weights, images)."""
    weights = tf.Variable(weights, dtype=tf.float32)
    with tf.GradientTape() as tape:
        value = losses.PENALTIES[name](lambda images: function(weights, images), tf.constant(REAL), tf.constant(FAKE),
                                       tf.constant(UNIFORM))
    return tape.gradient(value, weights).numpy()


@pytest.mark.parametrize("name, at_5, at_half", [
    ("wgan-gp", 2 * 4, 2 * -0.5), ("wgan-gp-one-sided", 2 * 4, 0), ("dragan", 2 * 4, 2 * -0.5), ("r1", 5, 0.5),
    ("r1-r2", 10, 1)])
def test_gradient_in_the_weights_of_a_linear_critic(name, at_5, at_half):
    """d (|a| - 1)^2 = 2 (|a| - 1) a / |a|, d |a|^2 / 2 = a."""
    for slope, expected in ((5, at_5), (0.5, at_half)):
        found = gradient(name, lambda weights, images: tf.reduce_sum(weights * images, axis=[1, 2, 3]),
                         slope * DIRECTION)
        np.testing.assert_allclose(found, expected * DIRECTION, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["wgan-gp", "dragan", "r1", "r2"])
def test_gradient_in_the_weights_where_the_point_matters(name):
    """D(x) = sum w x^2 / 2 has the gradient w x, of length n: d (n - 1)^2 = 2 (n - 1) w x^2 / n, d n^2 / 2 = w x^2."""
    seen, weights = [], np.linspace(0.5, 2, 6).reshape(SHAPE)

    def critic(weights, images):
        seen.append(images)
        return tf.reduce_sum(weights * images ** 2, axis=[1, 2, 3]) / 2

    found = gradient(name, critic, weights)
    points = np.asarray(seen[0], np.float64)
    norms = lengths(weights * points).reshape([4, 1, 1, 1])
    each = weights * points ** 2 * (1 if name in ("r1", "r2") else 2 * (norms - 1) / norms)
    np.testing.assert_allclose(found, each.mean(axis=0), rtol=1e-4)


@pytest.mark.parametrize("name, expected", [("wgan-gp", 1), ("wgan-gp-one-sided", 0), ("dragan", 1), ("r1", 0)])
def test_a_critic_of_no_slope_has_a_finite_gradient(name, expected):
    """The length's own derivative at 0 is not finite."""
    assert penalty(name, linear(0)) == pytest.approx(expected, abs=1e-5)
    found = gradient(name, lambda weights, images: tf.reduce_sum(weights * images, axis=[1, 2, 3]), np.zeros(SHAPE))
    np.testing.assert_array_equal(found, np.zeros(SHAPE))


@pytest.mark.parametrize("name", losses.PENALTIES)
def test_penalty_is_the_mean_over_images(name):
    each = [penalty(name, quadratic, REAL[i:i + 1], FAKE[i:i + 1], UNIFORM[i:i + 1]) for i in range(4)]
    assert penalty(name, quadratic) == pytest.approx(np.mean(each), rel=1e-5)
    assert np.ptp(each) > 0.1


@pytest.mark.parametrize("name", losses.PENALTIES)
def test_penalty_is_float32_of_half_precision_logits(name):
    def critic(images):
        return tf.cast(linear(5)(images), tf.bfloat16)

    value = losses.PENALTIES[name](critic, tf.constant(REAL), tf.constant(FAKE), tf.constant(UNIFORM))
    assert value.dtype == tf.float32
    assert float(value) == pytest.approx({"r1": 12.5, "r2": 12.5, "r1-r2": 25}.get(name, 16), rel=1e-2)
