"""pix2pix: its losses in closed form, what its discriminator sees, and its noise."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.gans.pix2pix import Config, Pix2Pix
from tf2gan.networks.resnet import ResNet
from tf2gan.networks.resunet import ResUNet


def make(**changes):
    tf.keras.utils.set_random_seed(0)
    values = {"image_size": "64", "generator_filters": 2, "discriminator_filters": 2, "batch_size": 2, **changes}
    return Pix2Pix(Config(**values), 100)


def constant(value):
    return tf.fill([2, 64, 64, 3], value)


def noise(seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [2, 64, 64, 3]).astype(np.float32)


BATCH = {"x": noise(1), "y": noise(2)}


def softplus(value):
    return np.log1p(np.exp(value))


def test_losses_in_closed_form():
    """G(x) = x / 2, and D of a pair is three times its first channel plus its fourth."""
    gan = make(adversarial_weight=2.0, l1_weight=50.0)
    gan.generator = lambda images, training, seed: images / 2
    gan.discriminator = lambda pairs, training: 3 * pairs[..., :1] + pairs[..., 3:4]
    loss, (logs, fake) = gan.generator_loss(constant(0.4), constant(-0.1))
    logit = 3 * 0.4 + 0.2
    assert {name: float(value) for name, value in logs.items()} == pytest.approx(
        {"adversarial": softplus(-logit), "l1": 0.3}, rel=1e-5)
    assert float(loss) == pytest.approx(2 * softplus(-logit) + 50 * 0.3, rel=1e-5)
    np.testing.assert_allclose(fake, constant(0.2))
    loss, logs = gan.discriminator_loss(constant(0.4), constant(-0.1), constant(0.2))
    assert float(loss) == pytest.approx(0.5 * (softplus(-(1.2 - 0.1)) + softplus(logit)), rel=1e-5)
    assert {name: float(value) for name, value in logs.items()} == {"real_accuracy": 1, "fake_accuracy": 0}


@pytest.mark.parametrize("zero, left", [("adversarial_weight", ["l1"]), ("l1_weight", ["adversarial"])])
def test_a_term_of_weight_0_is_not_computed(zero, left):
    _, (logs, _) = make(**{zero: 0.0}).generator_loss(constant(0.4), constant(-0.1))
    assert list(logs) == left


@pytest.mark.parametrize("direction, source, target", [("a2b", "x", "y"), ("b2a", "y", "x")])
def test_both_updates_see_the_same_generated_images(direction, source, target):
    gan, seen = make(optimizer="sgd", direction=direction), []
    inner = gan.discriminator_loss
    gan.discriminator_loss = lambda *args: seen.append(args) or inner(*args)
    expected = gan.generator(BATCH[source], training=True, seed=gan.seed_for("dropout"))
    gan.train_step(BATCH)
    inputs, targets, fake = seen[0]
    assert inputs is BATCH[source] and targets is BATCH[target]
    np.testing.assert_allclose(fake, expected, atol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_each_update_moves_its_own_networks_only(weight):
    gan, inner, moved = make(optimizer="sgd", projected_weight=weight), Pix2Pix.minimize, []
    discriminators = {"discriminator", "projected"} if weight else {"discriminator"}
    assert set(gan.networks) == {"generator", *discriminators}

    def trained():
        return {name: [v.numpy().copy() for v in network.trainable_variables]
                for name, (network, _) in gan.networks.items()}

    def minimize(*args):
        before = trained()
        result = inner(gan, *args)
        moved.append({name for name, after in trained().items()
                      if any((a != b).any() for a, b in zip(before[name], after))})
        return result

    gan.minimize = minimize
    logs = gan.train_step(BATCH)
    assert moved == [{"generator"}, discriminators]
    weighted = logs["adversarial"] + 100 * logs["l1"] + (weight * logs["projected"] if weight else 0)
    assert float(logs["generator_loss"]) == pytest.approx(float(weighted), rel=1e-5)


def test_noise_in_use():
    """Without, one input has one result; with, another at each call, unless the seed is given."""
    plain, noisy = make(), make(noise_in_use=True)
    x = BATCH["x"]
    np.testing.assert_array_equal(plain.generate(x, "a2b"), plain.generate(x, "a2b"))
    seeds = [tf.constant([0, number], tf.int64) for number in (1, 2)]
    first, again, other = (noisy.generate(x, seed=seed).numpy() for seed in (seeds[0], seeds[0], seeds[1]))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4
    assert np.abs(noisy.generate(x) - noisy.generate(x)).max() > 1e-4
    np.testing.assert_array_equal(noisy.sample(BATCH)["a2b"], noisy.sample(BATCH)["a2b"])


def test_a_colouring_model_sees_the_luma_alone():
    gan, other = make(input_from="grey"), make()
    x = BATCH["x"]
    luma = tf.repeat(tf.image.rgb_to_grayscale(x), 3, axis=-1)
    np.testing.assert_allclose(gan.generate(x), gan.generate(luma), atol=1e-5)
    assert np.abs(other.generate(x) - other.generate(luma)).max() > 1e-5


@pytest.mark.parametrize("changes, words", [
    ({"image_size": "96"}, "powers of 2 from 64 on"), ({"image_size": "32"}, "powers of 2 from 64 on"),
    ({"l1_weight": 0.0, "adversarial_weight": 0.0}, "are all 0: nothing to train"),
    ({"noise_in_use": True, "dropout": 0.0}, "--noise-in-use: the noise is dropout, and there is none"),
    ({"noise_in_use": True, "generator": "resunet"}, "--noise-in-use: the noise is dropout, and there is none"),
    ({"dropout": 0.3, "generator": "resnet"}, "--dropout 0.3: the generator resnet has none"),
    ({"generator": "resunet", "image_size": "40"}, "must be multiples of 16 and at least 32"),
    ({"generator_filters": 0}, "--generator-filters 0"), ({"num_blocks": 0}, "--num-blocks 0"),
    ({"num_blocks": 2}, "--num-blocks 2: the generator unet has no residual blocks")])
def test_bad_values(changes, words):
    with pytest.raises(UserError, match=words):
        Config(**changes).check()
    Config(image_size="64x128").check()


@pytest.mark.parametrize("generator, kind", [("resunet", ResUNet), ("resnet", ResNet)])
def test_other_generators(generator, kind):
    """They take any multiple of 16, and have no noise."""
    gan = make(generator=generator, image_size="48", num_blocks=1)
    assert isinstance(gan.generator, kind) and gan.config.dropout_rate == 0
    batch = {name: images[:, :48, :48] for name, images in BATCH.items()}
    before = gan.generator(batch["x"]).numpy()
    gan.train_step(batch)
    assert before.shape == (2, 48, 48, 3) and np.abs(gan.generator(batch["x"]) - before).max() > 1e-5
