"""Networks of the noise-to-image methods: sizes, parameters added up by hand, dropout, normalization and labels."""
import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
from parameter_counts import conv, dense, norm

from tf2gan.core.errors import UserError
from tf2gan.gans import conditional, dcgan, vanilla
from tf2gan.networks.conditional import ConditionalDiscriminator, ConditionalGenerator, Projection
from tf2gan.networks.dcgan import PaperDiscriminator, StridedDiscriminator, UpsamplingGenerator
from tf2gan.networks.mlp import MLPDiscriminator, MLPGenerator
from tf2gan.networks.transposed import HouseNumberDiscriminator, TransposedGenerator

LATENTS, CLASSES = 5, 3

# {name: function of image_shape and keyword arguments}, each a network of few weights.

GENERATORS = {
    "mlp": lambda shape, **kw: MLPGenerator(shape, (6, 4), **kw),
    "upsampling": lambda shape, **kw: UpsamplingGenerator(shape, 2, **kw),
    "transposed": lambda shape, **kw: TransposedGenerator(shape, 2, **kw),
    "paper": lambda shape, **kw: TransposedGenerator(shape, 2, slope=0.0, deviation=0.5, **kw),
    "conditional": lambda shape, **kw: ConditionalGenerator(shape, LATENTS, CLASSES, 2, **kw),
    "conditional-normalization": lambda shape, **kw: ConditionalGenerator(shape, LATENTS, CLASSES, 2,
                                                                          condition="normalization", **kw),
}
DISCRIMINATORS = {
    "mlp": lambda shape, **kw: MLPDiscriminator((6, 4), **kw),
    "upsampling": lambda shape, **kw: StridedDiscriminator(2, **kw),
    "transposed": lambda shape, **kw: HouseNumberDiscriminator(2, **kw),
    "paper": lambda shape, **kw: PaperDiscriminator(shape, 2, deviation=0.5, **kw),
    "conditional": lambda shape, **kw: ConditionalDiscriminator(shape, CLASSES, 2, **kw),
    "conditional-normalization": lambda shape, **kw: ConditionalDiscriminator(shape, CLASSES, 2, condition="projection",
                                                                              **kw),
}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def labels(name, num):
    return (np.arange(num) % CLASSES,) if name.startswith("conditional") else ()


def latents(name, num=4, seed=0):
    return (noise(num, LATENTS, seed=seed), *labels(name, num))


def images(name, num=4, size=32, channels=3, seed=0):
    return (noise(num, size, size, channels, seed=seed), *labels(name, num))


def change(network, inputs, others, **kw):
    return np.abs(network(*inputs, **kw) - network(*others, **kw)).max()


# Shapes.

@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("size", [28, 32, 64, 96])
def test_shapes(name, size):
    for channels in (1, 3):
        if name not in ("transposed", "paper") or size % 8 == 0:
            made = GENERATORS[name]((size, size, channels))(*latents(name, 2))
            assert made.shape == [2, size, size, channels] and made.dtype == tf.float32
        judged = DISCRIMINATORS[name]((size, size, channels))(*images(name, 2, size, channels))
        assert judged.shape == [2, 1] and judged.dtype == tf.float32


@pytest.mark.parametrize("network, sizes", [
    (UpsamplingGenerator, {8: 2, 28: 7, 32: 8, 40: 10, 56: 7, 60: 15, 64: 8, 96: 12, 128: 8}),
    (TransposedGenerator, {16: 2, 24: 3, 32: 4, 40: 5, 64: 4, 72: 9, 96: 6, 128: 4}),
])
def test_larger_images_get_more_doublings(network, sizes):
    """{size of the image: size of the first map}, which doubles up to the image."""
    for size, start in sizes.items():
        generator = network((size, size, 1), 1)
        assert generator(noise(1, LATENTS)).shape == [1, size, size, 1]
        assert generator.reshape.target_shape[:2] == (start, start)


@pytest.mark.parametrize("config, size, near", [
    (dcgan.Config(), "30", "28 and 32"), (dcgan.Config(), "4", "8"),
    (dcgan.Config(networks="transposed"), "28", "24 and 32"),
    (dcgan.Config(networks="transposed"), "16", "24"), (conditional.Config(), "29", "28 and 32"),
    (vanilla.Config(), "0", "1"), (dcgan.Config(), "32x28", None),
])
def test_sizes_that_networks_cannot_make(config, size, near):
    """They are refused before any network is built, with what is possible."""
    with pytest.raises(UserError) as caught:
        dataclasses.replace(config, image_size=size).check()
    message = str(caught.value)
    assert message.startswith(f"--image-size {size}: ") and "\n" not in message
    assert message.endswith("give one number" if near is None else f"the nearest: {near}")


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("size", ["smallest", 28])
def test_output_depends_on_the_input(name, size):
    generator, discriminator = GENERATORS[name], DISCRIMINATORS[name]
    if size == "smallest":
        size = {"mlp": 1, "transposed": 24, "paper": 16}.get(name, 8)
    elif name in ("transposed", "paper"):
        size = 32
    shape = (size, size, 1)
    assert change(generator(shape), latents(name), latents(name, seed=1)) > 1e-5
    assert change(discriminator(shape), images(name, 4, size, 1), images(name, 4, size, 1, seed=1)) > 1e-6


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_put_out_a_tanh(name):
    """Large weights in the last layer drive a tanh to its limits, and nothing beyond them."""
    generator = GENERATORS[name]((32, 32, 3))
    generator(*latents(name))
    last = generator.to_pixels if name == "mlp" else generator.to_image
    last.kernel.assign(last.kernel * 1e5)
    made = generator(*latents(name)).numpy()
    assert made.min() == -1 and made.max() == 1


@pytest.mark.parametrize("name", [name for name in DISCRIMINATORS if name != "conditional-normalization"])
def test_discriminators_put_out_logits(name):
    """No sigmoid: the last layer's weights, times a thousand, are the output's, and both signs occur."""
    discriminator, inputs = DISCRIMINATORS[name]((32, 32, 3)), images(name, 20)
    discriminator(*inputs)
    last = discriminator.to_logits if name == "transposed" else discriminator.to_logit
    logits = discriminator(*inputs).numpy()
    last.kernel.assign(last.kernel * 1000)
    np.testing.assert_allclose(discriminator(*inputs), logits * 1000, rtol=1e-3, atol=1e-3)
    last.bias.assign([-1000 * np.median(logits)])
    assert discriminator(*inputs).numpy().min() < 0 < discriminator(*inputs).numpy().max()


# Parameter counts, added up by hand from the specification.

def networks_of(gan_class, preset, **changes):
    """The two networks of a preset, built."""
    config = dataclasses.replace(gan_class.presets[preset], ema_decay=None, **changes)
    gan = gan_class(config, 1000)
    return gan.generator.count_params(), gan.discriminator.count_params()


MNIST = {"image_size": "28", "channels": 1}
COLOUR = {"image_size": "32", "channels": 3}


@pytest.mark.parametrize("preset", ["gan", "gan-smooth"])
def test_gan_parameters(preset):
    expected = dense(100, 128) + dense(128, 784), dense(784, 128) + dense(128, 1)
    assert networks_of(vanilla.GAN, preset, **MNIST) == expected


def test_gan_deep_parameters():
    expected = (dense(256, 256) + dense(256, 512) + dense(512, 1024) + dense(1024, 784),
                dense(784, 256) + dense(256, 1))
    assert expected == (1_526_288, 201_217)
    assert networks_of(vanilla.GAN, "gan-deep", **MNIST) == expected


@pytest.mark.parametrize("data, start, last", [({**MNIST}, 7, 4), ({**COLOUR}, 8, 4)])
def test_dcgan_parameters(data, start, last):
    """`last`: what is left of 28x28 (14, 7 padded to 8, 4) and of 32x32 (16, 8, 4)."""
    channels = data["channels"]
    generator = (dense(100, 128 * start * start) + norm(128) + conv(3, 128, 128) + norm(128)
                 + conv(3, 128, 64) + norm(64) + conv(3, 64, channels))
    discriminator = (conv(3, channels, 32) + conv(3, 32, 64) + norm(64) + conv(3, 64, 128) + norm(128)
                     + conv(3, 128, 256) + dense(256 * last * last, 1))
    assert networks_of(dcgan.DCGAN, "dcgan", **data) == (generator, discriminator)


def test_dcgan_transpose_parameters():
    generator = (dense(100, 4 * 4 * 512) + norm(512) + conv(5, 512, 256) + norm(256) + conv(5, 256, 128) + norm(128)
                 + conv(5, 128, 3))
    discriminator = (conv(3, 3, 64) + 2 * (conv(3, 64, 64) + norm(64)) + conv(3, 64, 128) + norm(128)
                     + conv(3, 128, 128) + norm(128) + conv(3, 128, 128) + dense(128, 1))
    assert networks_of(dcgan.DCGAN, "dcgan-transpose", **COLOUR) == (generator, discriminator)


def test_dcgan_paper_parameters():
    """Radford et al. 2015, figure 1 and section 4: 1024 maps of 4x4, halved in number at each doubling, down to the image."""
    generator = (dense(100, 4 * 4 * 1024) + norm(1024) + conv(5, 1024, 512) + norm(512) + conv(5, 512, 256) + norm(256)
                 + conv(5, 256, 128) + norm(128) + conv(5, 128, 3))
    discriminator = (conv(5, 3, 128) + conv(5, 128, 256) + norm(256) + conv(5, 256, 512) + norm(512)
                     + conv(5, 512, 1024) + norm(1024) + dense(4 * 4 * 1024, 1))
    assert networks_of(dcgan.DCGAN, "paper", channels=3) == (generator, discriminator)


def test_dcgan_papers_weights_and_rectifiers():
    gan = dcgan.DCGAN(dataclasses.replace(dcgan.DCGAN.presets["paper"], channels=3, generator_filters=16,
                                          discriminator_filters=16), 1000)
    for network in (gan.generator, gan.discriminator):
        for weight in network.trainable_variables:
            if "kernel" in weight.name:
                assert np.std(weight.numpy()) == pytest.approx(0.02, rel=0.1) and abs(np.mean(weight.numpy())) < 0.002
    assert float(gan.generator.leaky_relu(tf.constant([-3.0]))[0]) == 0.0
    assert float(gan.discriminator.leaky_relu(tf.constant([-3.0]))[0]) == pytest.approx(-0.6)
    config = gan.config
    assert (config.latent_distribution, config.batch_size, config.beta_1) == ("uniform", 128, 0.5)
    assert config.generator_learning_rate == config.discriminator_learning_rate == 2e-4
    assert (gan.generator_optimizer is not gan.discriminator_optimizer) and config.loss == "non-saturating"


def test_cgan_book_parameters():
    generator = (10 * 100 + dense(100, 256 * 7 * 7) + conv(3, 256, 128) + norm(128) + conv(3, 128, 64) + norm(64)
                 + conv(3, 64, 1))
    discriminator = (10 * 784 + conv(3, 2, 64) + conv(3, 64, 64) + norm(64) + conv(3, 64, 128) + norm(128)
                     + dense(128 * 4 * 4, 1))
    assert networks_of(conditional.CGAN, "book", num_classes=10, **MNIST) == (generator, discriminator)


def test_cgan_parameters():
    def conditional_norm(channels):
        return 2 * channels + 2 * 10 * channels  # moving statistics; a scale and an offset for each class

    generator = (dense(100, 256 * 7 * 7) + conv(3, 256, 128) + conditional_norm(128) + conv(3, 128, 64)
                 + conditional_norm(64) + conv(3, 64, 1))
    singular_vectors = 64 + 64 + 128 + 1 + 128 * 4 * 4
    discriminator = (conv(3, 1, 64) + conv(3, 64, 64) + conv(3, 64, 128) + dense(128 * 4 * 4, 1) + 10 * 128 * 4 * 4
                     + singular_vectors)
    assert networks_of(conditional.CGAN, "cgan", num_classes=10, **MNIST) == (generator, discriminator)


# Dropout and normalization.

@pytest.mark.parametrize("name, kind", [(name, kind) for name in GENERATORS for kind in ("generator", "discriminator")])
def test_dropout_only_in_training_and_by_its_seed(name, kind):
    make, inputs = ((GENERATORS[name], latents(name)) if kind == "generator" else (DISCRIMINATORS[name], images(name)))
    network, plain = make((32, 32, 3), dropout=0.5), make((32, 32, 3), dropout=0.0)
    network(*inputs), plain(*inputs)
    plain.set_weights(network.get_weights())
    np.testing.assert_array_equal(network(*inputs, seed=tf.constant([0, 1])), plain(*inputs))
    call = functools.partial(network, *inputs, training=True)
    first, again, other = (call(seed=tf.constant(seed)).numpy() for seed in ([0, 1], [0, 1], [0, 2]))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-5
    assert np.abs(first - plain(*inputs, training=True)).max() > 1e-5
    with pytest.raises(ValueError, match="needs a seed"):
        call()


def test_every_dropout_of_a_network_throws_its_own_dice():
    """The masks of layers of one shape differ: with equal ones a unit of both layers would be dropped together."""
    masks = []
    network = MLPGenerator((2, 2, 1), (50, 50), dropout=0.5)
    inner = network.dropout.call
    network.dropout.call = lambda x, **kw: masks.append(inner(tf.ones_like(x), **kw).numpy() > 0) or x
    network(noise(4, LATENTS), training=True, seed=tf.constant([0, 1]))
    assert len(masks) == 2 and 0.4 < (masks[0] != masks[1]).mean() < 0.6


@pytest.mark.parametrize("name", ["upsampling", "transposed"])
@pytest.mark.parametrize("kind, mixes", [("batch", True), ("layer", False), ("spectral", False), (None, False)])
def test_images_of_a_batch_mix_under_batch_normalization_only(name, kind, mixes):
    """What a gradient penalty needs: no image's logit depends on another image."""
    discriminator, (batch,) = DISCRIMINATORS[name]((32, 32, 3), dropout=0.0, normalization=kind), images(name)
    other = np.concatenate([batch[:1], -batch[1:]])
    training = kind != "spectral"  # in training, each call brings the spectral norms nearer to their limit
    difference = np.abs(discriminator(batch, training=training) - discriminator(other, training=training))[0, 0]
    assert difference > 1e-5 if mixes else difference < 1e-7
    num_norms = sum(part is not None for part in discriminator.norms)
    assert num_norms == ({"upsampling": 2, "transposed": 4}[name] if kind in ("batch", "layer") else 0)


@pytest.mark.parametrize("name, kind", [(name, kind) for name in GENERATORS for kind in ("generator", "discriminator")])
def test_every_weight_has_a_gradient(name, kind):
    make, inputs = ((GENERATORS[name], latents(name)) if kind == "generator" else (DISCRIMINATORS[name], images(name)))
    network = make((32, 32, 3), dropout=0.0)
    with tf.GradientTape() as tape:
        outputs = network(*inputs, training=True)
        loss = tf.reduce_sum(outputs * noise(*outputs.shape, seed=9))
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, network.trainable_variables)]
    assert len(gradients) >= 6
    for gradient, variable in zip(gradients, network.trainable_variables):
        assert np.abs(gradient).max() > 0, variable.name


@pytest.mark.parametrize("name, kind", [(name, kind) for name in GENERATORS for kind in ("generator", "discriminator")])
def test_initial_weights_are_a_function_of_the_seed(name, kind):
    def weights(seed):
        tf.keras.utils.set_random_seed(seed)
        network = (GENERATORS if kind == "generator" else DISCRIMINATORS)[name]((32, 32, 1))
        network(*(latents(name, 1) if kind == "generator" else images(name, 1, channels=1)))
        return np.concatenate([w.ravel() for w in network.get_weights()])

    np.testing.assert_array_equal(weights(0), weights(0))
    assert (weights(0) != weights(1)).mean() > 0.5


def test_transposed_discriminator_drops_input_pixels_at_two_fifths_of_its_rate():
    discriminator = HouseNumberDiscriminator(2, dropout=0.5)
    assert discriminator.input_dropout.rate == pytest.approx(0.2) and discriminator.dropout.rate == 0.5


# Labels.

@pytest.mark.parametrize("name", ["conditional", "conditional-normalization"])
def test_labels_change_the_image_and_the_logit(name):
    generator, discriminator = GENERATORS[name]((28, 28, 1)), DISCRIMINATORS[name]((28, 28, 1))
    z, picture = noise(1, LATENTS), noise(1, 28, 28, 1)
    generator(z, np.array([0]))
    for layer in generator.norms if name == "conditional-normalization" else ():
        layer.offsets.assign(noise(*layer.offsets.shape))  # at first those of all classes are 0
    for network, inputs in ((generator, z), (discriminator, picture)):
        outputs = [network(inputs, np.array([label])).numpy() for label in range(CLASSES)]
        for i in range(CLASSES):
            assert np.abs(outputs[i] - outputs[i - 1]).max() > 1e-6


def test_a_label_multiplies_the_latents_and_is_a_plane_beside_the_image():
    """An embedding of zeros leaves no latents; one of ones leaves them as they are, whichever the label."""
    generator, inputs = GENERATORS["conditional"]((28, 28, 1)), latents("conditional")
    generator(*inputs)
    generator.embedding.embeddings.assign(tf.zeros([CLASSES, LATENTS]))
    black = generator(*inputs).numpy()
    np.testing.assert_array_equal(black, np.repeat(black[:1], len(black), axis=0))
    generator.embedding.embeddings.assign(tf.ones([CLASSES, LATENTS]))
    np.testing.assert_allclose(generator(*inputs), generator(inputs[0], inputs[1][::-1]), atol=1e-6)
    discriminator, (picture, label) = DISCRIMINATORS["conditional"]((8, 8, 1)), images("conditional", 4, 8, 1)
    logits = discriminator(picture, label).numpy()
    plane = discriminator.embedding(label).numpy().reshape([4, 8, 8, 1])
    kernel = discriminator.convolutions[0].kernel
    assert kernel.shape == [3, 3, 2, 2]
    # The plane is the last channel: with image and plane exchanged, and the kernel's two channels too, all is the same.
    kernel.assign(tf.reverse(kernel, axis=[2]))
    pixels = picture[:CLASSES].reshape([-1, 64])
    discriminator.embedding.embeddings.assign(
        tf.tensor_scatter_nd_update(tf.zeros([CLASSES, 64]), label[:CLASSES, None], pixels))
    np.testing.assert_allclose(discriminator(plane[:CLASSES], label[:CLASSES]), logits[:CLASSES], atol=1e-6)


@pytest.mark.parametrize("normalization", [None, "spectral"])
def test_a_projection_is_a_product_with_the_embedding(normalization):
    projection, features, label = Projection(CLASSES, normalization), noise(4, 6), np.array([2, 0, 2, 1])
    projection(features, label)
    table = projection.embeddings.numpy()
    if normalization is not None:
        for _ in range(200):
            projection(features, label, training=True)
        table = table / np.linalg.svd(table, compute_uv=False)[0]
    expected = (features * table[label]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(projection(features, label), expected, atol=1e-5)


def test_a_projection_is_added_to_the_logit():
    discriminator, inputs = DISCRIMINATORS["conditional-normalization"]((8, 8, 1)), images("conditional", 4, 8, 1)
    logits = discriminator(*inputs).numpy()
    features, judged = [], discriminator.projection.call
    discriminator.projection.call = lambda x, labels, **kw: features.append(x) or judged(x, labels, **kw)
    discriminator(*inputs)
    table = discriminator.projection
    table.embeddings.assign_add(tf.ones_like(table.embeddings))
    expected = discriminator.to_logit(features[0]) + table(features[0], inputs[1])
    np.testing.assert_allclose(discriminator(*inputs), expected, atol=1e-5)
    assert np.abs(discriminator(*inputs) - logits).max() > 1e-3
