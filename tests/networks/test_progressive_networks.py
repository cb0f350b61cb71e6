"""Networks that grow: what each level is made of, how one is faded in, and whom an update of a level moves."""
import warnings

import numpy as np
import pytest
import tensorflow as tf
from parameter_counts import conv, dense

from tf2gan.core.seeds import fold
from tf2gan.networks import progressive
from tf2gan.networks.progressive import ProgressiveDiscriminator, ProgressiveGenerator, blended, doubled, halved

LATENTS, CHANNELS, BASE, MOST = 5, 3, 32, 6
WIDTHS = [6, 6, 4, 2]  # of levels of 4, 8, 16 and 32 pixels
LEVELS = range(4)
ROUNDING = 1e-4  # of numbers about 1: where few channels are all near 0, normalization magnifies it


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def size_of(level):
    return 4 * 2 ** level


def images_of(level, num=4, seed=0):
    return noise(num, size_of(level), size_of(level), CHANNELS, seed=seed)


def built(network, inputs):
    """With biases that are not 0, and the same weights whatever was tested before."""
    tf.keras.utils.set_random_seed(0)
    network(inputs)
    for i, variable in enumerate(network.trainable_variables):
        if len(variable.shape) == 1:
            variable.assign(0.3 * noise(*variable.shape, seed=i))
    return network


def generator_of(**options):
    return built(ProgressiveGenerator(32, CHANNELS, BASE, MOST, **options), noise(1, LATENTS))


def discriminator_of(**options):
    return built(ProgressiveDiscriminator(32, BASE, MOST, **options), images_of(3))


@pytest.fixture(scope="module")
def generator():
    return generator_of()


@pytest.fixture(scope="module")
def discriminator():
    return discriminator_of()


@pytest.fixture(params=["generator", "discriminator"])
def pair(request):
    """(network, function of a level to what it takes there)."""
    if request.param == "generator":
        return request.getfixturevalue("generator"), lambda level: noise(4, LATENTS)
    return request.getfixturevalue("discriminator"), images_of


# Sizes.

@pytest.mark.parametrize("size, num", [(4, 1), (8, 2), (32, 4), (1024, 9)])
def test_num_levels(size, num):
    assert progressive.num_levels(size) == num


def test_widths():
    """The paper's are in its table 2."""
    assert [progressive.width(level, 8192, 512) for level in range(9)] == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert [progressive.width(level, BASE, MOST) for level in LEVELS] == WIDTHS
    assert [progressive.width(level, 8, 100) for level in range(5)] == [4, 2, 1, 1, 1]


def parameters_of_generator(latent_size, channels, widths, level, images):
    """Up to a level, with the layers to images of the levels `images`."""
    each = [dense(latent_size, 16 * widths[0]) + conv(3, widths[0], widths[0])]
    each += [conv(3, below, here) + conv(3, here, here) for below, here in zip(widths, widths[1:])]
    return sum(each[:level + 1]) + sum(conv(1, widths[i], channels) for i in images)


def parameters_of_discriminator(channels, widths, top, level, images):
    """The last convolution is shown one more channel; `top`: outputs of the first dense layer."""
    each = [conv(3, widths[0] + 1, widths[0]) + dense(16 * widths[0], top) + dense(top, 1)]
    each += [conv(3, here, here) + conv(3, here, below) for below, here in zip(widths, widths[1:])]
    return sum(each[:level + 1]) + sum(conv(1, channels, widths[i]) for i in images)


def num_of(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.mark.parametrize("level", LEVELS)
def test_parameters_of_each_level(generator, discriminator, level):
    images = [0] if level == 0 else [level - 1, level]
    assert (num_of(generator.level_variables(level))
            == parameters_of_generator(LATENTS, CHANNELS, WIDTHS, level, images))
    assert (num_of(discriminator.level_variables(level))
            == parameters_of_discriminator(CHANNELS, WIDTHS, MOST, level, images))


def test_parameters_of_all_levels(generator, discriminator):
    assert generator.count_params() == parameters_of_generator(LATENTS, CHANNELS, WIDTHS, 3, LEVELS)
    assert discriminator.count_params() == parameters_of_discriminator(CHANNELS, WIDTHS, MOST, 3, LEVELS)
    for network in (generator, discriminator):
        assert not network.non_trainable_variables


def test_parameters_of_the_papers_networks():
    """23.1 million each at 1024x1024, by its table 2."""
    widths = [progressive.width(level, 8192, 512) for level in range(9)]
    assert round(parameters_of_generator(512, 3, widths, 8, range(9)) / 1e6, 1) == 23.1
    assert round(parameters_of_discriminator(3, widths, 512, 8, range(9)) / 1e6, 1) == 23.1


@pytest.mark.parametrize("level", LEVELS)
def test_all_levels_are_made_by_the_first_call(generator, discriminator, level):
    """With no warning, which Keras 3 gives where layers are without weights."""
    for network, inputs, whole in ((ProgressiveGenerator(32, CHANNELS, BASE, MOST), noise(1, LATENTS), generator),
                                   (ProgressiveDiscriminator(32, BASE, MOST), images_of(level), discriminator)):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            network(inputs, level)
        assert ([list(variable.shape) for variable in network.trainable_variables]
                == [list(variable.shape) for variable in whole.trainable_variables])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("alpha", [None, 0.3])
def test_shapes(generator, discriminator, level, alpha):
    made = generator(noise(3, LATENTS), level, alpha)
    assert made.shape == [3, size_of(level), size_of(level), CHANNELS] and made.dtype == tf.float32
    judged = discriminator(made, level, alpha)
    assert judged.shape == [3, 1] and judged.dtype == tf.float32


def test_grey_images():
    made = ProgressiveGenerator(8, 1, BASE, MOST)(noise(2, LATENTS))
    assert made.shape == [2, 8, 8, 1] and ProgressiveDiscriminator(8, BASE, MOST)(made).shape == [2, 1]


def test_the_last_level_is_meant_where_none_is_named(pair):
    network, inputs = pair
    np.testing.assert_array_equal(network(inputs(3)), network(inputs(3), 3))
    np.testing.assert_array_equal(network(inputs(3), alpha=0.4), network(inputs(3), 3, 0.4))


# What a level computes, layer after layer by table 2.

def rectified(x):
    return np.where(x > 0, x, 0.2 * x)


def unit(x):
    return x / np.sqrt((x ** 2).mean(axis=-1, keepdims=True) + 1e-8)


def of(layer, x):
    return layer(tf.constant(x, tf.float32)).numpy().astype(np.float64)


def test_what_the_generator_computes(generator):
    g, latents = generator.levels, noise(4, LATENTS).astype(np.float64)
    x = unit(rectified(of(g[0][0], unit(latents))).reshape([4, 4, 4, 6]))
    x = unit(rectified(of(g[0][1], x)))
    np.testing.assert_allclose(generator(noise(4, LATENTS), 0), of(generator.images[0], x), atol=ROUNDING)
    for level in (1, 2):
        x = unit(rectified(of(g[level][0], np.repeat(np.repeat(x, 2, axis=1), 2, axis=2))))
        x = unit(rectified(of(g[level][1], x)))
        np.testing.assert_allclose(generator(noise(4, LATENTS), level), of(generator.images[level], x), atol=ROUNDING)


def test_what_the_discriminator_computes(discriminator):
    d, images = discriminator.levels, images_of(1)
    x = rectified(of(discriminator.images[1], images))
    x = rectified(of(d[1][1], rectified(of(d[1][0], x))))
    x = x.reshape([4, 4, 2, 4, 2, 6]).mean(axis=(2, 4))
    spread = np.sqrt(x.var(axis=0) + 1e-8).mean() * np.ones([4, 4, 4, 1])
    x = rectified(of(d[0][0], np.concatenate([x, spread], axis=-1)))
    x = rectified(of(d[0][1], x.reshape([4, -1])))
    np.testing.assert_allclose(discriminator(images, 1), of(discriminator.to_logit, x), atol=1e-5)


def test_gains(generator, discriminator):
    """1 where no rectifier comes after, at the outputs of both networks."""
    for network, last in ((generator, generator.images), (discriminator, [discriminator.to_logit])):
        every = [*(layer for level in network.levels for layer in level), *network.images, *network.always]
        for layer in every:
            assert layer.gain == pytest.approx(1 if any(layer is other for other in last) else 2 ** 0.5)


def test_only_the_direction_of_latents_counts(generator):
    latents = noise(4, LATENTS)
    np.testing.assert_allclose(generator(100 * latents, 2), generator(latents, 2), atol=ROUNDING)
    assert np.abs(generator(-latents, 2) - generator(latents, 2)).max() > 0.01


def test_images_are_not_bounded():
    network = generator_of()
    network.images[3].kernel.assign(100 * network.images[3].kernel.numpy())
    assert np.abs(network(noise(4, LATENTS))).max() > 10


# Fading.

def test_doubled_and_halved():
    images = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape([2, 4, 6, 3])
    np.testing.assert_array_equal(doubled(images), np.kron(images, np.ones([1, 2, 2, 1])))
    np.testing.assert_array_equal(halved(images), images.reshape([2, 2, 2, 3, 2, 3]).mean(axis=(2, 4)))
    np.testing.assert_array_equal(halved(doubled(images)), images)


def test_blended():
    old, new = noise(2, 3, 4), noise(2, 3, 4, seed=1)
    for make in (float, tf.constant):
        np.testing.assert_array_equal(blended(old, new, make(0.0)), old)
        np.testing.assert_array_equal(blended(old, new, make(1.0)), new)
        np.testing.assert_allclose(blended(old, new, make(0.25)), 0.75 * old + 0.25 * new, rtol=1e-5, atol=1e-7)
    half = blended(tf.cast(old, tf.bfloat16), tf.cast(new, tf.bfloat16), tf.constant(0.0))
    assert half.dtype == tf.bfloat16
    np.testing.assert_array_equal(tf.cast(half, tf.float32), tf.cast(tf.cast(old, tf.bfloat16), tf.float32))


@pytest.mark.parametrize("level", LEVELS[1:])
def test_fading_begins_with_the_level_below(generator, discriminator, level):
    latents, images = noise(4, LATENTS), images_of(level)
    np.testing.assert_array_equal(generator(latents, level, 0.0), doubled(generator(latents, level - 1)))
    np.testing.assert_array_equal(discriminator(images, level, 0.0), discriminator(halved(images), level - 1))


@pytest.mark.parametrize("level", LEVELS)
def test_fading_ends_with_the_new_level(pair, level):
    network, inputs = pair
    np.testing.assert_array_equal(network(inputs(level), level, 1.0), network(inputs(level), level))


def test_images_are_a_mixture_between(generator):
    latents = noise(4, LATENTS)
    old, new = doubled(generator(latents, 1)).numpy(), generator(latents, 2).numpy()
    assert np.abs(old - new).max() > 0.1
    np.testing.assert_allclose(generator(latents, 2, 0.5), (old + new) / 2, atol=1e-6)
    np.testing.assert_allclose(generator(latents, 2, tf.constant(0.9)), 0.1 * old + 0.9 * new, atol=1e-6)


def test_the_discriminator_mixes_what_the_level_below_is_given(discriminator):
    """Halfway, the next layer is given the mean of what it is given at both ends."""
    given, block = [], discriminator.levels[1]
    inner = block[0].call
    block[0].call = lambda inputs: given.append(inputs.numpy()) or inner(inputs)
    try:
        for alpha in (0.0, 1.0, 0.5):
            discriminator(images_of(2), 2, alpha)
    finally:
        block[0].call = inner
    assert np.abs(given[0] - given[1]).max() > 0.1
    np.testing.assert_allclose(given[2], (given[0] + given[1]) / 2, atol=1e-6)


def test_the_first_level_is_never_faded_in(pair):
    network, inputs = pair
    np.testing.assert_array_equal(network(inputs(0), 0, 0.0), network(inputs(0), 0))


def test_one_graph_for_all_of_the_fading(pair):
    network, inputs = pair
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None, *inputs(1).shape[1:]]), tf.TensorSpec([])])
    def run(batch, alpha):
        traces.append(batch.shape)
        return network(batch, 1, alpha)

    for num, alpha in ((4, 0.0), (4, 0.5), (2, 1.0)):
        np.testing.assert_allclose(run(inputs(1)[:num], alpha), network(inputs(1)[:num], 1, alpha), atol=ROUNDING)
    assert len(traces) == 1


# Whom an update moves.

def variables_of(*layers):
    return {id(variable) for layer in layers for variable in layer.trainable_variables}


def moved(network, inputs, level, alpha):
    """Of all variables of the network, those with a gradient, and those whose gradient is not 0: sets of ids."""
    with tf.GradientTape() as tape:
        outputs = network(inputs(level), level, alpha)
        total = tf.reduce_sum(outputs * noise(*outputs.shape, seed=7))
    found = {id(variable): gradient for variable, gradient
             in zip(network.trainable_variables, tape.gradient(total, network.trainable_variables))}
    connected = {key for key, gradient in found.items() if gradient is not None}
    return connected, {key for key in connected if np.abs(tf.convert_to_tensor(found[key])).max() > 1e-9}


@pytest.mark.parametrize("level", LEVELS)
def test_whom_an_update_of_a_level_moves(pair, level):
    network, inputs = pair
    blocks = [layer for block in network.levels[:level + 1] for layer in block]
    before = blocks[:2 * level] if level else blocks
    new, old = network.images[level], network.images[max(level - 1, 0)]
    all_of_it = {id(variable) for variable in network.level_variables(level)}
    assert all_of_it == variables_of(*blocks, new, old, *network.always)
    assert len(all_of_it) == len(network.level_variables(level))
    for alpha, layers in ((0.0, [*before, old]), (0.5, [*blocks, new, old]), (1.0, [*blocks, new])):
        connected, changing = moved(network, inputs, level, tf.constant(alpha))
        assert connected == all_of_it and changing == variables_of(*layers, *network.always), alpha
    connected, changing = moved(network, inputs, level, None)
    assert connected == changing == variables_of(*blocks, new, *network.always)


def test_levels_have_all_variables_between_them(pair):
    network, _ = pair
    used = {id(variable) for level in LEVELS for variable in network.level_variables(level)}
    assert used == {id(variable) for variable in network.trainable_variables}


# Dropout.

def test_dropout_in_training_needs_a_seed():
    for network, inputs in ((generator_of(dropout=0.5), noise(4, LATENTS)),
                            (discriminator_of(dropout=0.5), images_of(2))):
        with pytest.raises(ValueError, match="needs a seed"):
            network(inputs, 2, training=True)
        outputs = [network(inputs, 2, training=True, seed=fold(0, purpose)).numpy() for purpose in ("a", "a", "b")]
        np.testing.assert_array_equal(outputs[0], outputs[1])
        assert np.abs(outputs[0] - outputs[2]).max() > 0.01
        np.testing.assert_array_equal(network(inputs, 2), network(inputs, 2, training=False, seed=fold(0, "a")))
        assert np.abs(network(inputs, 2) - outputs[0]).max() > 0.01


def test_every_layer_has_a_mask_of_its_own():
    for network, inputs in ((generator_of(dropout=0.5), noise(4, LATENTS)),
                            (discriminator_of(dropout=0.5), images_of(3))):
        seeds, inner = [], network.dropout.call
        network.dropout.call = lambda inputs, training, seed: (seeds.append(tuple(seed.numpy()))
                                                               or inner(inputs, training, seed))
        network(inputs, 3, training=True, seed=fold(0, "a"))
        assert len(set(seeds)) == len(seeds) == 2 * 4


def test_training_changes_nothing_without_dropout(pair):
    network, inputs = pair
    np.testing.assert_array_equal(network(inputs(2), 2, 0.5, training=True), network(inputs(2), 2, 0.5))


# Batches.

def test_an_image_does_not_depend_on_the_others(generator):
    latents = noise(6, LATENTS)
    np.testing.assert_allclose(generator(latents, 2, 0.5)[:1], generator(latents[:1], 2, 0.5), atol=ROUNDING)
    np.testing.assert_allclose(generator(latents[::-1], 2), generator(latents, 2)[::-1], atol=ROUNDING)


def test_a_logit_depends_on_its_group_only(discriminator):
    images = images_of(2, 8)
    logits = discriminator(images, 2, 0.5).numpy()
    np.testing.assert_allclose(discriminator(images[:4], 2, 0.5), logits[:4], atol=1e-5)
    images[7] *= 3
    change = np.abs(discriminator(images, 2, 0.5).numpy() - logits)[:, 0]
    assert (change[:4] < 1e-5).all() and (change[4:] > 1e-4).all()


def test_a_logit_depends_on_nothing_else_with_groups_of_one():
    network, images = discriminator_of(group_size=1), images_of(2, 6)
    logits = network(images, 2).numpy()
    for i in range(6):
        np.testing.assert_allclose(network(images[i:i + 1], 2), logits[i:i + 1], atol=1e-5)
    assert np.ptp(logits) > 0.01


# Precision.

def test_mixed_precision():
    """Images and logits are float32, and near to those of the same weights in float32."""
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        halves = generator_of(), discriminator_of()
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    for half, exact, inputs in ((halves[0], generator_of(), noise(4, LATENTS)),
                                (halves[1], discriminator_of(), images_of(2))):
        exact.set_weights(half.get_weights())
        assert all(weights.dtype == np.float32 for weights in half.get_weights())
        for alpha in (None, 0.5):
            outputs, expected = half(inputs, 2, alpha), exact(inputs, 2, alpha).numpy()
            assert outputs.dtype == tf.float32
            assert 0 < np.linalg.norm(outputs - expected) < 0.1 * np.linalg.norm(expected)
