"""Networks of the semi-supervised GAN: classifiers, the features that they classify by, and their generators."""
import functools

import numpy as np
import pytest
import tensorflow as tf
from parameter_counts import conv, dense, norm

from tf2gan.networks.conditional import ConditionalGenerator
from tf2gan.networks.layers import WeightNormalized
from tf2gan.networks.semi_supervised import DenseClassifier, SoftplusGenerator, StridedClassifier
from tf2gan.networks.transposed import HouseNumberDiscriminator, TransposedGenerator

LOGITS, SIZE, SEED = 4, 24, tf.constant([0, 1])

# {name: function of keyword arguments, and how many features it has}, each a network of few weights.
DENSE = {f"dense-{kind}": (functools.partial(DenseClassifier, LOGITS, (9, 7), weight_norm=kind == "weight"), 7)
         for kind in ("weight", "none")}
CLASSIFIERS = {**DENSE, **{
    f"{name}-{kind}": (functools.partial(make, normalization=None if kind == "none" else kind), num)
    for name, make, num in (("strided", functools.partial(StridedClassifier, LOGITS, 2), SIZE ** 2 // 64 * 8),
                            ("house-numbers", functools.partial(HouseNumberDiscriminator, 2, LOGITS), 4))
    for kind in ("batch", "layer", "weight", "none")}}
EVERY_CLASSIFIER = pytest.mark.parametrize("name", CLASSIFIERS)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


IMAGES = noise(6, SIZE, SIZE, 3)


def classifier(name, rate=0.0):
    """A network and the word for its dice: noise of dense layers, dropout of convolutions."""
    return CLASSIFIERS[name][0](**{"noise" if name in DENSE else "dropout": rate})


# Logits and features.

@EVERY_CLASSIFIER
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_shapes(name, precision):
    tf.keras.mixed_precision.set_global_policy(precision)
    try:
        network = classifier(name, 0.5)
        logits = network(IMAGES, training=True, seed=SEED)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert logits.shape == [6, LOGITS] and logits.dtype == tf.float32
    assert network.features(IMAGES, training=True, seed=SEED).shape == [6, CLASSIFIERS[name][1]]


@EVERY_CLASSIFIER
@pytest.mark.parametrize("training", [False, True])
def test_logits_are_linear_in_the_features(name, training):
    network = classifier(name)
    logits = network(IMAGES, training=training)
    features = network.features(IMAGES, training=training)
    np.testing.assert_allclose(logits, network.to_logits(features), atol=1e-6)
    last = network.to_logits
    kernel = last._kernel() if isinstance(last, WeightNormalized) else last.kernel
    np.testing.assert_allclose(logits, features @ kernel + last.bias, atol=1e-5)
    assert np.abs(features).max() > 1e-3 and np.abs(features[0] - features[1]).max() > 1e-4


def test_the_dense_classifier_is_what_its_paper_says():
    """In numpy: layers of ReLU, each with a length and a direction for its weights; black is 0."""
    network = DenseClassifier(LOGITS, (9, 7), noise=0.0)
    x = (IMAGES.reshape([6, -1]).astype(np.float64) + 1.0) / 2.0
    network(IMAGES)
    for i, layer in enumerate([*network.hidden, network.to_logits]):
        layer.length.assign(noise(layer.num_outputs, seed=i)), layer.bias.assign(noise(layer.num_outputs, seed=i + 9))
        direction = layer.direction.numpy().astype(np.float64)
        x = x @ (direction / np.sqrt((direction ** 2).sum(axis=0)) * layer.length.numpy()) + layer.bias.numpy()
        x = np.maximum(x, 0) if i < 2 else x
    np.testing.assert_allclose(network(IMAGES), x, atol=1e-5)
    assert [layer.num_outputs for layer in DenseClassifier(10).hidden] == [1000, 500, 250, 250, 250]


@EVERY_CLASSIFIER
def test_normalization(name):
    """Images of a batch mix under batch normalization only; weight normalization has other convolutions."""
    network, other = classifier(name), np.concatenate([IMAGES[:1], -IMAGES[1:]])
    difference = np.abs(network(IMAGES, training=True) - network(other, training=True))[0].max()
    assert difference > 1e-5 if name.endswith("batch") else difference < 1e-6
    kind = name.split("-")[-1]
    if name in DENSE:
        assert all(isinstance(layer, WeightNormalized) == (kind == "weight")
                   for layer in [*network.hidden, network.to_logits])
    else:
        of_each = {"strided": 2, "house-numbers": 4}[name[:-len(kind) - 1]]
        assert len(network.norms) == (of_each if kind in ("batch", "layer") else 0)
        assert all(isinstance(conv, WeightNormalized) == (kind == "weight") for conv in network.convolutions)


@EVERY_CLASSIFIER
def test_every_weight_has_a_gradient(name):
    network = classifier(name)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(IMAGES, training=True) * noise(6, LOGITS, seed=9))
    for gradient, variable in zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.name


@EVERY_CLASSIFIER
def test_initial_weights_are_a_function_of_the_seed(name):
    def weights(seed):
        tf.keras.utils.set_random_seed(seed)
        network = classifier(name)
        network(IMAGES)
        return np.concatenate([weight.ravel() for weight in network.get_weights()])

    np.testing.assert_array_equal(weights(0), weights(0))
    assert (weights(0) != weights(1)).mean() > 0.5


# Dice.

@EVERY_CLASSIFIER
def test_dice_only_in_training_and_by_their_seed(name):
    network, plain = classifier(name, 0.5), classifier(name)
    network(IMAGES), plain(IMAGES)
    plain.set_weights(network.get_weights())
    np.testing.assert_array_equal(network(IMAGES, seed=SEED), plain(IMAGES))
    first, again, other = (network(IMAGES, training=True, seed=tf.constant(seed)).numpy()
                           for seed in ([0, 1], [0, 1], [0, 2]))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4
    assert np.abs(first - plain(IMAGES, training=True)).max() > 1e-4
    with pytest.raises(ValueError, match="needs a seed"):
        network(IMAGES, training=True)


def test_noise_before_each_dense_layer():
    """That on images, in [0, 1] there, is 0.6 times as strong, and each layer throws dice of its own."""
    network, seen = DenseClassifier(50, (50, 50), noise=0.5), []
    for layer in (network.input_noise, network.noise):
        def watched(x, inner=layer.call, **kwargs):
            noisy = inner(x, **kwargs)
            seen.append((noisy - x).numpy())
            return noisy

        layer.call = watched
    network(noise(400, 5, 5, 2), training=True, seed=SEED)
    assert [added.std() for added in seen] == pytest.approx([0.3, 0.5, 0.5], rel=0.03)
    for added, other in zip(seen, seen[1:] + seen[:1]):
        assert abs(np.corrcoef(added.ravel(), other.ravel())[0, 1]) < 0.05


def test_dropout_of_the_strided_classifier_is_after_its_features():
    """A half of them is dropped, and the rest twice as large."""
    network, kept = StridedClassifier(LOGITS, 2, dropout=0.5), []
    inner = network.dropout.call

    def watched(x, **kwargs):
        kept.append((x.numpy(), inner(x, **kwargs).numpy()))
        return x

    network.dropout.call = watched
    network(IMAGES, training=True, seed=SEED)
    (before, after), = kept
    np.testing.assert_allclose(before, network.features(IMAGES, training=True), atol=1e-6)
    np.testing.assert_allclose(after[after != 0], 2 * before[after != 0], rtol=1e-6)
    assert 0.4 < (after == 0).mean() < 0.6


# Parameter counts, added up by hand from the specification.

def count(network, *shape):
    network(tf.zeros([1, *shape]))
    return network.count_params()


def test_parameters_of_sgan_book():
    """The discriminator of 28x28 images leaves 14, 7, 4; the generator is that of cgan without the label."""
    assert count(StridedClassifier(10), 28, 28, 1) == (
        conv(3, 1, 32) + conv(3, 32, 64) + norm(64) + conv(3, 64, 128) + norm(128) + dense(128 * 4 * 4, 10))
    assert count(ConditionalGenerator((28, 28, 1), 100, None), 100) == (
        dense(100, 256 * 7 * 7) + conv(3, 256, 128) + norm(128) + conv(3, 128, 64) + norm(64) + conv(3, 64, 1))


def test_parameters_of_sgan_features():
    assert count(HouseNumberDiscriminator(64, 11), 32, 32, 3) == (
        conv(3, 3, 64) + 2 * (conv(3, 64, 64) + norm(64)) + conv(3, 64, 128) + norm(128) + conv(3, 128, 128)
        + norm(128) + conv(3, 128, 128) + dense(128, 11))
    assert count(TransposedGenerator((32, 32, 3), 32), 100) == (
        dense(100, 4 * 4 * 128) + norm(128) + conv(5, 128, 64) + norm(64) + conv(5, 64, 32) + norm(32) + conv(5, 32, 3))


def test_parameters_of_the_networks_of_salimans():
    """Weight normalization adds a length for each output."""
    widths = (784, 1000, 500, 250, 250, 250, 10)
    plain = sum(dense(*pair) for pair in zip(widths, widths[1:]))
    assert count(DenseClassifier(10, weight_norm=False), 28, 28, 1) == plain
    assert count(DenseClassifier(10), 28, 28, 1) == plain + sum(widths[1:])
    assert count(SoftplusGenerator((28, 28, 1)), 100) == (
        dense(100, 500) + norm(500) + dense(500, 500) + norm(500) + dense(500, 784) + 784)


def test_lengths_are_learned_of_logits_and_pixels_only():
    """As in the authors' code: longer weights would make longer features, which a generator never matches."""
    classifier, generator = DenseClassifier(LOGITS, (9, 7)), SoftplusGenerator((4, 4, 1), width=8)
    classifier(IMAGES), generator(noise(5, 3))
    layers = [*classifier.hidden, classifier.to_logits, generator.to_pixels]
    for layer in layers:
        np.testing.assert_allclose(np.linalg.norm(layer._kernel(), axis=0), 1, rtol=1e-5)
    assert [len(layer.trainable_variables) for layer in layers] == [2, 2, 3, 3]
    assert len(classifier.trainable_variables) == 2 + 2 + 3 and len(classifier.variables) == 3 * 3


# Generators.

@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 9, 3)])
def test_the_softplus_generator_is_what_its_paper_says(shape):
    """In numpy, with the first moving statistics; in training the batch's own are used."""
    generator, latents = SoftplusGenerator(shape, width=8), noise(5, 3)
    made = generator(latents)
    assert made.shape == [5, *shape] and made.dtype == tf.float32
    x = latents.astype(np.float64)
    for layer in generator.hidden:
        x = np.log1p(np.exp((x @ layer.kernel.numpy() + layer.bias.numpy()) / np.sqrt(1.001)))
    last = generator.to_pixels
    expected = np.tanh(x @ last._kernel().numpy() + last.bias.numpy())
    np.testing.assert_allclose(made, expected.reshape(made.shape), atol=1e-5)
    assert np.abs(generator(latents, training=True)[0] - generator(latents[:2], training=True)[0]).max() > 1e-4


def test_the_conditional_generator_without_labels():
    """Is the one with labels where an embedding of ones changes nothing."""
    plain, labelled = (ConditionalGenerator((8, 8, 1), 3, classes, 2) for classes in (None, 5))
    latents = noise(4, 3)
    plain(latents), labelled(latents, np.arange(4))
    labelled.embedding.embeddings.assign(tf.ones([5, 3]))
    assert labelled.count_params() - plain.count_params() == 15
    labelled.set_weights([labelled.embedding.embeddings.numpy(), *plain.get_weights()])
    np.testing.assert_allclose(plain(latents), labelled(latents, np.arange(4)), atol=1e-6)
    assert np.abs(plain(latents) - plain(-latents)).max() > 1e-5
