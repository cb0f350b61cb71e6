"""Latents and samples of GANs from noise, and every choice of how to train with every method."""
import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf
from noise_gans import (
    EPOCH,
    PRESETS,
    SGD,
    Recorder,
    batch_of,
    copies,
    distance,
    images_of,
    make,
    mean_logits,
    state,
    tiny,
)

from tf2gan.gans import GANS, losses
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan
from tf2gan.training.options import Options

# Latents.

@pytest.fixture(scope="module")
def normal():
    return make(latent_size=10)[0]


@pytest.fixture(scope="module")
def uniform():
    return make(latent_size=10, latent_distribution="uniform")[0]


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_latents_are_the_first_of_an_endless_sequence(kind, request):
    gan = request.getfixturevalue(kind)
    for truncation in (math.inf, 0.7):
        many = gan.latents(50, 3, truncation).numpy()
        assert many.shape == (50, 10) and many.dtype == np.float32
        for num in (1, 2, 7):
            np.testing.assert_array_equal(gan.latents(num, 3, truncation), many[:num])
        assert (gan.latents(50, 4, truncation).numpy() != many).mean() > 0.99
        as_tensors = tf.function(gan.latents)(tf.constant(50), tf.constant(3), tf.constant(truncation))
        np.testing.assert_allclose(as_tensors, many, atol=1e-6)
    assert len(np.unique(many, axis=0)) == 50


def test_normal_latents(normal):
    numbers = normal.latents(5000, 0).numpy().astype(np.float64)
    assert abs(numbers.mean()) < 5 / math.sqrt(numbers.size)
    assert abs(numbers.var() - 1) < 5 * math.sqrt(2 / numbers.size)
    assert abs((numbers ** 4).mean() - 3) < 5 * math.sqrt(96 / numbers.size)
    assert 3.5 < np.abs(numbers).max() < 6


def test_truncated_normal_latents(normal):
    """At T = 1 the variance is 1 - 2 phi(1) / (2 Phi(1) - 1)."""
    density, inside = math.exp(-0.5) / math.sqrt(2 * math.pi), math.erf(1 / math.sqrt(2))
    variance = 1 - 2 * density / inside
    fourth = 3 * variance - 2 * density / inside
    numbers = normal.latents(5000, 0, 1.0).numpy()
    assert 0.99 < np.abs(numbers).max() <= 1
    assert abs(numbers.var() - variance) < 5 * math.sqrt((fourth - variance ** 2) / numbers.size)
    free = normal.latents(5000, 0).numpy()
    assert (np.sign(numbers) == np.sign(free)).all()
    assert np.diff(free.ravel()[np.argsort(numbers.ravel())]).min() > -1e-6  # in the same order but for rounding
    for truncation in (0.01, 0.5, 3.0):
        assert np.abs(normal.latents(100, 0, truncation)).max() <= truncation
    np.testing.assert_allclose(normal.latents(100, 0, 20.0), normal.latents(100, 0), atol=1e-6)


def test_uniform_latents(uniform):
    numbers = uniform.latents(5000, 0).numpy()
    assert -1 <= numbers.min() < -0.99 and 0.99 < numbers.max() <= 1
    assert abs(numbers.mean()) < 5 * math.sqrt(1 / 3 / numbers.size)
    assert abs(numbers.var() - 1 / 3) < 5 * math.sqrt(4 / 45 / numbers.size)
    np.testing.assert_allclose(uniform.latents(5000, 0, 0.25), numbers / 4, atol=1e-6)
    np.testing.assert_array_equal(uniform.latents(5000, 0, 3.0), numbers)


@pytest.mark.parametrize("kind, low, variance", [("normal", -10, 1), ("uniform", -1, 1 / 3)])
def test_training_draws_latents_of_the_same_distribution(kind, low, variance):
    gan, run = make(latent_distribution=kind, batch_size=4000)
    generator = gan.generator
    gan.generator = Recorder(generator)
    gan.generator.trainable_variables = generator.trainable_variables
    run(gan.update_discriminator, images_of(gan))
    run(gan.update_generator)
    first, second = (call[0].numpy() for call in gan.generator.calls)
    for latents in (first, second):
        assert low <= latents.min() and latents.max() <= -low
        assert latents.mean() == pytest.approx(0, abs=0.03) and latents.var() == pytest.approx(variance, rel=0.05)
    assert (first != second).mean() > 0.99


# Samples.

@pytest.mark.parametrize("num, rows, columns", [(1, 1, 1), (5, 2, 3), (7, 3, 3), (16, 4, 4)])
def test_samples_are_a_grid_as_square_as_can_be(num, rows, columns):
    gan, _ = make()
    latents = gan.sample_inputs(num)
    np.testing.assert_array_equal(latents, gan.latents(num, gan.config.seed))
    grid = gan.sample(latents)["samples"].numpy()
    assert grid.shape == (rows, columns, 8, 8, 1)
    grid = grid.reshape([-1, 8, 8, 1])
    np.testing.assert_array_equal(grid[:num], gan.generate(latents))
    assert np.all(grid[num:] == -1) and np.abs(grid[:num]).max() < 1


# Every choice with every method.

@pytest.mark.parametrize("name, preset", PRESETS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_every_preset_makes_a_step(name, preset, precision):
    sizes = {"dcgan-transpose": "24", "sgan-features": "24", "paper": "16"}
    changes = {"image_size": sizes.get(preset, "8"), "batch_size": 4}
    strategy = make_strategy(Options(precision=precision.replace("mixed_", "")))
    try:
        config = dataclasses.replace(GANS[name].presets[preset], **{
            "channels": 3, "latent_size": 5, **changes, **tiny(name, preset)})
        gan = build_gan(GANS[name], config, 100, strategy, num_epoch=EPOCH)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    logs = strategy.run(gan.train_step, args=[batch_of(gan, seed=i) for i in range(config.n_critic)])
    assert {"discriminator_loss", "generator_loss", "diversity"} < set(logs)
    assert all(value.dtype == tf.float32 and np.isfinite(value) for value in logs.values())
    labels = [tf.zeros([2], tf.int64)] if gan.abilities.takes_labels else []
    images = gan.generate(gan.latents(2, 0), *labels)
    assert images.shape == [2, *gan.image_shape] and images.dtype == tf.float32
    for weights in gan.weights():
        assert np.isfinite(weights.numpy()).all() and weights.numpy().dtype == np.float32


@pytest.mark.parametrize("loss", losses.ADVERSARIAL)
@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_every_loss_with_every_penalty(name, loss):
    """The penalty is logged by itself and changes the discriminator's update."""
    moved = {}
    for penalty in (None, *losses.PENALTIES):
        clip = 0.5 if loss == "wasserstein" and penalty is None else None
        gan, run = make(name, loss=loss, penalty=penalty, weight_clip=clip, **SGD, ema_decay=None, batch_size=4)
        before = state(gan)
        logs = run(gan.train_step, batch_of(gan))
        assert all(np.isfinite(value) for value in logs.values())
        assert ("penalty" in logs) == (penalty is not None)
        only_differences = loss in ("wasserstein", "relativistic")
        assert ("critic_distance" in logs) == only_differences != ("real_accuracy" in logs)
        moved[penalty] = distance(before["discriminator"], state(gan)["discriminator"])
        assert distance(before["generator"], state(gan)["generator"]) > 0
        assert all(np.isfinite(w).all() for w in copies(gan.weights()))
    assert len({round(value, 7) for value in moved.values()}) >= 4  # both kinds of wgan-gp may agree


def test_the_penalty_has_its_weight():
    gan, run = make(penalty="r1", penalty_weight=3.0, discriminator_loss_weight=2.0)
    loss, logs = run(gan.discriminator_loss, images_of(gan), images_of(gan, seed=1))
    assert float(loss) == pytest.approx(float(logs["discriminator_loss"]) + 3 * float(logs["penalty"]), rel=1e-6)
    plain, _ = make(discriminator_loss_weight=1.0)
    once, _ = run(plain.discriminator_loss, images_of(gan), images_of(gan, seed=1))
    assert float(logs["discriminator_loss"]) == pytest.approx(2 * float(once), rel=1e-6)


@pytest.mark.parametrize("penalty", ["wgan-gp", "wgan-gp-one-sided", "dragan"])
def test_the_penalty_asks_for_the_slope_of_its_target(penalty):
    """((|a| - G) / G)^2 of a linear critic; all else sees its logits as they are."""
    gan, run = make(loss="wasserstein", penalty=penalty, penalty_weight=3.0, discriminator_loss_weight=1.0)
    gan.discriminator, slope = mean_logits, 1 / 8  # of the mean of 8x8 pixels
    real, fake = images_of(gan), images_of(gan, seed=1)
    apart = np.mean(real, dtype=np.float64) - np.mean(fake, dtype=np.float64)
    for target in (1.0, 0.5, 0.125, 0.0625, 750.0):
        gan.config = dataclasses.replace(gan.config, penalty_target=target)
        loss, logs = run(gan.discriminator_loss, real, fake)
        excess = (slope - target) / target
        expected = max(excess, 0) ** 2 if penalty == "wgan-gp-one-sided" else excess ** 2
        assert float(logs["penalty"]) == pytest.approx(expected, rel=1e-5, abs=1e-8)
        assert float(logs["critic_distance"]) == pytest.approx(apart, rel=1e-4)
        assert float(logs["discriminator_loss"]) == pytest.approx(-apart, rel=1e-4)
        assert float(loss) == pytest.approx(3 * expected - apart, rel=1e-5)


@pytest.mark.parametrize("batches", ["separate", "joint"])
@pytest.mark.parametrize("changes", [{"loss": "wasserstein", "penalty": "wgan-gp"},
                                     {"loss": "wasserstein", "weight_clip": 0.1, "discriminator_loss_weight": 5.0},
                                     {"loss": "non-saturating"}], ids=["wgan-gp", "weight-clip", "non-saturating"])
def test_the_drift_has_its_weight(batches, changes):
    """It is of real images only, and is in what is minimized, but in nothing that is logged."""
    found, (gan, run) = {}, make(batches=batches, **changes)
    gan.discriminator = lambda *args, **kwargs: mean_logits(*args, **kwargs) + 2.0
    for weight in (0.0, 0.5, 100.0):
        gan.config = dataclasses.replace(gan.config, drift_weight=weight)
        loss, logs = run(gan.discriminator_loss, images_of(gan), images_of(gan, seed=1) + 3)
        found[weight] = float(loss), {name: float(value) for name, value in logs.items()}
    drift = ((images_of(gan).numpy().mean(axis=(1, 2, 3), dtype=np.float64) + 2) ** 2).mean()
    for weight, (loss, logs) in found.items():
        assert loss == pytest.approx(found[0.0][0] + weight * drift, rel=1e-5)
        assert logs == found[0.0][1]


def test_the_drift_pulls_logits_to_0():
    """With SGD, the discriminator's update is the gradient of all that is minimized."""
    moved = {}
    for weight in (0.0, 1.0, 2.0):
        gan, run = make(loss="wasserstein", penalty="wgan-gp", drift_weight=weight, **SGD)
        before = state(gan)
        run(gan.update_discriminator, images_of(gan))
        moved[weight] = np.concatenate([(b - a).ravel() for a, b in zip(before["discriminator"],
                                                                        state(gan)["discriminator"])])
    part = moved[1.0] - moved[0.0]
    assert np.abs(part).max() > 1e-6
    np.testing.assert_allclose(moved[2.0] - moved[0.0], 2 * part, rtol=1e-2, atol=1e-7)
    variables = gan.discriminator.trainable_variables
    for variable, value in zip(variables, before["discriminator"]):
        variable.assign(value)
    with tf.GradientTape() as tape:
        logits = gan.discriminator(images_of(gan))
        drift = tf.reduce_mean(logits ** 2)
    slope = np.concatenate([tf.reshape(gradient, [-1]) for gradient in tape.gradient(drift, variables)])
    np.testing.assert_allclose(part, -gan.config.discriminator_learning_rate * slope, rtol=1e-2, atol=1e-7)


def test_diversity():
    """Deviation over the batch, in units of that of the real images."""
    gan, run = make()
    shape = gan.image_shape
    real = tf.linspace(-1.0, 1.0, 8)[:, None, None, None] * tf.ones([8, *shape])
    gan.generator = lambda latents, training, seed: real / 2
    assert float(run(gan.update_discriminator, real)["diversity"]) == pytest.approx(0.5, rel=1e-4)
    one = tf.random.stateless_uniform([1, *shape], [0, 1])
    gan.generator = lambda latents, training, seed: tf.tile(one, [8, 1, 1, 1])
    assert float(run(gan.update_discriminator, real)["diversity"]) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name, preset", [("gan", "gan"), ("sgan", "sgan"), ("sgan", "sgan-book"), ("dcgan", "dcgan")])
def test_spectral_norms_follow_the_weights_of_every_discriminator(name, preset):
    gan, run = make(name, preset, discriminator_normalization="spectral")
    vectors = [v for v in gan.discriminator.variables if not v.trainable and v.shape[0] == 1 and len(v.shape) == 2]
    before = copies(vectors)
    run(gan.train_step, batch_of(gan))
    assert len(vectors) >= 2
    assert all(np.abs(a - b).max() > 1e-4 for a, b in zip(before, copies(vectors)) if a.size > 1)
