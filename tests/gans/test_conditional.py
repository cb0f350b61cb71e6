"""CGAN: which labels go where, rows of samples, and data without labels."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.gans.conditional import CGAN, Config
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan
from tf2gan.training.options import Options

CLASSES = 3


def make(**changes):
    values = {"image_size": "8", "channels": 1, "latent_size": 5, "batch_size": 8, "generator_filters": 2,
              "discriminator_filters": 2, "num_classes": CLASSES, **changes}
    strategy = make_strategy(Options())
    gan = build_gan(CGAN, Config(**values), 1000, strategy)
    return gan, lambda function, *args: strategy.run(function, args=args)


def batch(num=8):
    images = np.random.default_rng(0).uniform(-1, 1, [num, 8, 8, 1]).astype(np.float32)
    return {"images": tf.constant(images), "labels": tf.constant(np.arange(num) % CLASSES, tf.int64)}


class Recorder:
    """A network that keeps what it is called with."""

    def __init__(self, network):
        self.network, self.calls = network, []
        self.trainable_variables = network.trainable_variables

    def __call__(self, *args, **kwargs):
        self.calls.append(args)
        return self.network(*args, **kwargs)


def test_fakes_carry_the_labels_of_the_real_images_and_then_random_ones():
    gan, run = make()
    gan.generator, gan.discriminator = Recorder(gan.generator), Recorder(gan.discriminator)
    gan.random_labels = lambda: tf.constant([2, 2, 1, 1, 0, 0, 2, 2], tf.int64)
    real = batch()
    run(gan.train_step, real)
    made, judged = ([labels.numpy().tolist() for _, labels in network.calls]
                    for network in (gan.generator, gan.discriminator))
    given, drawn = real["labels"].numpy().tolist(), [2, 2, 1, 1, 0, 0, 2, 2]
    assert made == [given, drawn]
    assert judged == [given, given, drawn]  # real and generated images; and the generator's
    np.testing.assert_array_equal(gan.discriminator.calls[0][0], real["images"])


def test_half_batches_take_half_of_the_labels():
    gan, run = make(half_batches=True)
    assert {name: spec.shape for name, spec in gan.batch_spec(8).items()} == {"images": [4, 8, 8, 1], "labels": [4]}
    logs = run(gan.train_step, batch(4))
    assert all(np.isfinite(value) for value in logs.values())


def test_random_labels_are_of_all_classes_alike():
    gan, run = make(batch_size=3000)
    labels = run(gan.random_labels).numpy()
    counts = np.bincount(labels, minlength=CLASSES)
    assert len(counts) == CLASSES and np.abs(counts - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)
    gan.images_seen.assign(3000)
    assert (run(gan.random_labels).numpy() != labels).mean() == pytest.approx(2 / 3, abs=0.05)


def test_samples_have_a_row_a_class_and_the_same_latents_in_a_column():
    gan, _ = make(generator_condition="product")  # by the other way, all classes begin alike
    latents = gan.sample_inputs(4)
    grid = gan.sample(latents)["samples"]
    assert grid.shape == [CLASSES, 4, 8, 8, 1]
    for row in range(CLASSES):
        np.testing.assert_allclose(grid[row], gan.generate(latents, tf.fill([4], row)), atol=1e-6)
        assert np.abs(grid[row] - grid[row - 1]).max() > 1e-5
    assert gan.sample_titles() == {"samples": {"row_titles": ["0", "1", "2"]}}
    gan.class_names = ["cat", "dog", "owl"]
    assert gan.sample_titles() == {"samples": {"row_titles": ["cat", "dog", "owl"]}}


def test_classes_are_those_of_the_data():
    fitted = Config().fitted((28, 28, 1), list("0123456789"))
    assert (fitted.num_classes, fitted.image_size, fitted.channels) == (10, "28", 1)
    assert Config(num_classes=10).fitted((28, 28, 1), list("0123456789")).num_classes == 10


@pytest.mark.parametrize("config, names, message", [
    (Config(dataset="faces"), None, "dataset 'faces' has no labels"),
    (Config(num_classes=5), ["a", "b"], "--num-classes 5: mnist has 2 classes"),
])
def test_data_that_do_not_go_with_it(config, names, message):
    with pytest.raises(UserError) as caught:
        config.fitted((28, 28, 1), names)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"generator_filters": 0}, {"discriminator_filters": 0}, {"image_size": "30"}])
def test_bad_values(changes):
    (name, value), = changes.items()
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} {value}:"):
        Config(**changes).check()
