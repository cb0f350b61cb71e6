"""Shapes, sizes and initial weights of the networks, and that they use what they are made of."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.networks import pix2pix
from tf2gan.networks.fastgan import FastDiscriminator, FastGenerator
from tf2gan.networks.layers import variable_name
from tf2gan.networks.patchgan import DISCRIMINATORS, PatchGAN, TwoScalePatchGAN
from tf2gan.networks.patches import PatchVectors
from tf2gan.networks.pix2pix import DeepUNet
from tf2gan.networks.projected import ImageJudge, ProjectedDiscriminator, _mixed, example_maps
from tf2gan.networks.resnet import ResNet
from tf2gan.networks.resunet import ResUNet
from tf2gan.networks.unet import UNet

GENERATORS = [lambda: UNet(filters=4), lambda: ResNet(filters=4, num_blocks=2),
              lambda: ResUNet(filters=4, num_blocks=2), lambda: DeepUNet(16, filters=4, dropout=0.0)]
NETWORKS = GENERATORS + [lambda: PatchGAN(filters=4), lambda: PatchGAN(4, (2, 2, 1), norm_first=True),
                         lambda: TwoScalePatchGAN(filters=4)]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [*shape, 3]).astype(np.float32)


def built(network, size=32):
    network(tf.zeros([1, size, size, 3]))
    return network


def conv(size, inputs, outputs, bias=True):
    return size * size * inputs * outputs + bias * outputs


def norm(channels):
    return 2 * channels  # scale and offset


# Parameter counts, added up by hand from the specification.

def test_unet_parameters():
    down = (conv(4, 3, 32) + norm(32) + conv(4, 32, 64) + norm(64) + conv(4, 64, 128) + norm(128)
            + conv(4, 128, 256) + norm(256))
    up = (conv(4, 256, 128) + norm(128)
          + conv(4, 128 + 128, 64) + norm(64)  # from here on the input has the skip of the same size beside it
          + conv(4, 64 + 64, 32) + norm(32)
          + conv(4, 32 + 32, 3))
    assert down + up == 1_546_819
    assert built(UNet()).count_params() == down + up


def test_patchgan_parameters():
    expected = (conv(4, 3, 64)  # no normalization
                + conv(4, 64, 128) + norm(128) + conv(4, 128, 256) + norm(256) + conv(4, 256, 512) + norm(512)
                + conv(4, 512, 1))
    assert expected == 2_766_529
    assert built(PatchGAN()).count_params() == expected


def test_patchgan_70_parameters():
    """Of the paper: the same weights, since only a stride and an order differ."""
    assert built(DISCRIMINATORS["patchgan-70"]()).count_params() == 2_766_529


def test_two_scale_parameters():
    scale = conv(4, 3, 64) + conv(4, 64, 128) + norm(128) + conv(4, 128, 256) + norm(256) + conv(4, 256, 1)
    assert built(TwoScalePatchGAN()).count_params() == 2 * scale


def test_resunet_parameters():
    def unbiased(*args):
        return conv(*args, bias=False)

    def block(filters):
        return 2 * (unbiased(3, filters, filters) + norm(filters))

    down = conv(4, 3, 32) + unbiased(4, 32, 64) + norm(64) + unbiased(4, 64, 128) + norm(128)
    up = (unbiased(3, 128, 64) + norm(64) + unbiased(1, 64 + 64, 64) + norm(64) + block(64)  # the skip is beside it
          + unbiased(3, 64, 32) + norm(32) + unbiased(3, 32 + 32, 32) + norm(32)
          + conv(3, 32, 16) + conv(5, 16 + 3, 3))
    assert built(ResUNet()).count_params() == down + 4 * block(128) + up


@pytest.mark.parametrize("size, halvings", [(64, 6), (128, 7), (256, 8)])
def test_deep_unet_parameters(size, halvings):
    """The paper's 64, 128, 256, 512, 512 ..., down to one pixel; biases where no normalization follows."""
    widths = [64, 128, 256, 512, 512, 512, 512, 512][:halvings]
    expected = conv(4, 3, 64) + conv(4, widths[-2], widths[-1])
    expected += sum(conv(4, *pair, bias=False) + norm(pair[1]) for pair in zip(widths[:-2], widths[1:-1]))
    inputs = widths[-1]
    for width in widths[-2::-1]:
        expected += conv(4, inputs, width, bias=False) + norm(width)
        inputs = 2 * width  # the skip is beside it
    assert built(DeepUNet(size), size).count_params() == expected + conv(4, inputs, 3)


def test_the_deep_unet_has_one_pixel_in_its_middle():
    """And of an image of twice the size, two: any multiple of the size will do."""
    network = built(DeepUNet(32, filters=2))
    sizes = []
    inner = network.down_convolutions[-1].call
    network.down_convolutions[-1].call = lambda x: sizes.append(inner(x).shape[1:3]) or inner(x)
    for height, width in ((32, 32), (32, 64), (96, 32)):
        assert network(noise(1, height, width)).shape == [1, height, width, 3]
    assert [tuple(size) for size in sizes] == [(1, 1), (1, 2), (3, 1)]


def test_dropout_of_the_deep_unet():
    network, images = DeepUNet(32, filters=4, dropout=0.5), noise(1, 32, 32)
    np.testing.assert_array_equal(network(images, seed=tf.constant([0, 1])), network(images))
    masks, inner = [], network.dropout.call
    network.dropout.call = lambda x, **kw: masks.append(inner(tf.ones_like(x), **kw).numpy() > 0) or x
    network(images, training=True, seed=tf.constant([0, 1]))
    assert [mask.shape[1] for mask in masks] == [2, 4, 8], "the first three of the decoder"
    assert all(0.3 < mask.mean() < 0.7 for mask in masks)


@pytest.mark.parametrize("scale", [1, 0.02])
def test_patch_vectors(scale):
    """Of the chosen pixels alone, row by row, by two dense layers of their own for each map; of length 1.

    At 0.02, the standard deviation of fresh weights, the length before normalization is about 1e-4.
    """
    network, maps = PatchVectors(2, size=5), [noise(2, 4, 6), noise(2, 3, 3, seed=1)]
    places = [np.array([0, 7, 23]), np.array([4])]
    network(maps, places)
    rng = np.random.default_rng(2)
    for variable in network.trainable_variables:
        is_kernel = len(variable.shape) == 2
        variable.assign(rng.normal(0, scale, variable.shape) if is_kernel else np.full(variable.shape, 1e-5))
    vectors = network(maps, places)
    assert [tuple(each.shape) for each in vectors] == [(2, 3, 5), (2, 1, 5)]
    for i, (each, where) in enumerate(zip(maps, places)):
        pixels = each.reshape([2, -1, 3])[:, where]
        hidden, last = network.hidden[i], network.to_vectors[i]
        expected = np.maximum(pixels @ hidden.kernel.numpy() + hidden.bias.numpy(), 0) @ last.kernel.numpy()
        expected += last.bias.numpy()
        np.testing.assert_allclose(np.linalg.norm(vectors[i], axis=-1), 1, atol=1e-5)
        np.testing.assert_allclose(vectors[i], expected / np.linalg.norm(expected, axis=-1, keepdims=True), atol=1e-5)


def test_projected_parameters():
    channels, widths = (24, 40, 112, 320), (32, 64, 128, 256)
    fixed = (sum(conv(1, inputs, width, bias=False) for inputs, width in zip(channels, widths))
             + sum(conv(1, widths[i + 1], widths[i], bias=False) for i in range(3)))
    trained = (conv(4, 32, 64) + conv(4, 64, 64) + conv(3, 128, 128) + conv(3, 256, 128)
               + 2 * conv(3, 64, 1) + 2 * conv(3, 128, 1))
    network = ProjectedDiscriminator()
    network(example_maps(64, 64))
    assert sum(np.prod(v.shape) for v in network.trainable_variables) == trained
    singular_vectors = 2 * 64 + 2 * 128 + 4
    assert network.count_params() == fixed + trained + singular_vectors


def fast_generator_parameters(filters, size, latent, full):
    def dense(inputs, outputs):
        return inputs * outputs + outputs + outputs  # a bias, and the singular vector

    def spectral(*args):
        return conv(*args) + args[-1]

    def batch_norm(channels):
        return 4 * channels

    widths = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25}
    widths = {n: int(filters * width) for n, width in widths.items() if n <= size}
    expected = dense(latent, 16 * 2 * widths[4]) + batch_norm(2 * widths[4]) + spectral(3, widths[size], 3)
    for i, n in enumerate(list(widths)[1:]):
        expected += spectral(3, widths[n // 2], 2 * widths[n]) + batch_norm(2 * widths[n])
        if full and i % 2 == 0:
            expected += spectral(3, widths[n], 2 * widths[n]) + batch_norm(2 * widths[n]) + 2
    for n, small in {64: 4, 128: 8, 256: 16, 512: 32}.items():
        if n <= size:
            expected += spectral(4, widths[small], widths[n]) + spectral(1, widths[n], widths[n])
    return expected


@pytest.mark.parametrize("size", [32, 64, 128, 256, 512])
@pytest.mark.parametrize("full", [False, True])
def test_fast_generator(size, full):
    """Sizes, weights, and that only the direction of a latent counts."""
    network = FastGenerator((size, size, 3), filters=4, full=full)
    latents = noise(2, 1, 7).reshape([2, 21])
    images = network(latents)
    assert images.shape == [2, size, size, 3] and float(tf.reduce_max(tf.abs(images))) <= 1
    np.testing.assert_allclose(network(5 * latents), images, atol=1e-5)
    assert network.count_params() == fast_generator_parameters(4, size, 21, full)


@pytest.mark.parametrize("size, small", [(64, 4), (128, 8), (256, 16)])
def test_small_maps_say_which_channels_of_large_ones_count(size, small):
    network, latents = FastGenerator((size, size, 3), filters=4), noise(1, 1, 7).reshape([1, 21])
    before = network(latents).numpy()
    gate = network.excitations[str(size)].to_gate
    gate.bias.assign(-30 * tf.ones_like(gate.bias))  # a sigmoid of 0: nothing of this size is left
    after = network(latents).numpy()
    np.testing.assert_allclose(after, np.broadcast_to(after[:, :1, :1], after.shape), atol=1e-5)
    assert before.std(axis=(1, 2)).max() > 1e-4


def test_a_fast_generator_that_was_saved_still_has_its_gradient(tmp_path):
    """Sliders of a page are found by it; TensorFlow's own silu has one that a SavedModel does not keep."""
    network = FastGenerator((64, 64, 3), filters=4)
    latents = tf.constant(noise(2, 1, 7).reshape([2, 21]))
    network(latents)
    module = tf.Module()
    module.network = network
    module.made = tf.function(network, input_signature=[tf.TensorSpec([None, 21])])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    with tf.GradientTape() as tape:
        tape.watch(latents)
        total = tf.reduce_sum(loaded.made(latents)[:, :, :16])
    assert np.abs(tape.gradient(total, latents)).max() > 0



def test_the_full_generator_has_noise_in_training_only():
    network, latents = FastGenerator((32, 32, 3), filters=4, full=True), noise(1, 1, 7).reshape([1, 21])
    network(latents)
    for doubling in network.doublings:
        for strength in getattr(doubling, "strengths", ()):
            strength.assign(1.0)
    weights, found = network.get_weights(), []
    for seed in (1, 1, 2):
        found.append(network(latents, training=True, seed=tf.constant([0, seed])).numpy())
        network.set_weights(weights)  # training moves statistics and singular vectors
    first, again, other = found
    np.testing.assert_allclose(first, again, atol=1e-6)
    assert np.abs(first - other).max() > 1e-3
    np.testing.assert_array_equal(network(latents), network(latents))


@pytest.mark.parametrize("size", [32, 64, 256])
def test_fast_discriminator(size):
    """25 logits of each encoder; decoders restore the image, a quarter of it, and the image again."""
    network, images = FastDiscriminator((size, size, 3), filters=4), tf.constant(noise(4, size, size))
    assert network(images).shape == [4, 50]
    restored = network.restored(images, tf.range(4))
    side = min(size, 128)
    assert [tuple(made.shape) for made, _ in restored] == [(4, side, side, 3)] * 3
    half = size // 2
    corners = [(0, 0), (0, half), (half, 0), (half, half)]
    quarters = np.stack([image[row:row + half, column:column + half]
                         for image, (row, column) in zip(images.numpy(), corners)])
    for (_, target), expected in zip(restored, (images, quarters, images)):
        if expected.shape[1] != side:
            expected = tf.image.resize(expected, [side, side], "bilinear", antialias=True)
        np.testing.assert_allclose(target, expected, atol=1e-6)
    other = tf.tensor_scatter_nd_update(images, [[0, size - 1, size - 1]], [[1.0, 1.0, 1.0]])  # outside quarter 0
    again = network.restored(other, tf.range(4))
    np.testing.assert_array_equal(again[1][1][0], restored[1][1][0])
    assert np.abs(again[0][0][0] - restored[0][0][0]).max() > 1e-7
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean(tf.square(made - target)) for made, target in network.restored(
            images, tf.range(4), training=True)])
    gradients = zip(network.trainable_variables, tape.gradient(loss, network.trainable_variables))
    moved = {part for v, gradient in gradients if gradient is not None for part in variable_name(v).split("/")}
    assert {"encoder", "small", "decoder_whole", "decoder_part", "decoder_small"} <= moved


@pytest.mark.parametrize("normalized, group_size", [(False, 8), (True, 1)])
@pytest.mark.parametrize("judged, halvings, logits", [
    (128, (2, 1, 0, 0), 3 * 25 + 1), (224, (3, 2, 1, 0), 4 * 16), (288, (3, 2, 1, 0), 4 * 36)])
def test_image_judge(judged, halvings, logits, normalized, group_size):
    """Maps are halved to 8x8 or less; only what comes after the mixtures learns; grey is grey."""
    widths = (4, 8, 16, 32)
    network = ImageJudge(judged, widths, normalized=normalized, group_size=group_size)
    images = tf.constant(noise(2, 64, 64))
    with tf.GradientTape() as tape:
        tape.watch(images)
        found = network(images)
    assert found.shape == [2, logits] and found.dtype == tf.float32
    assert np.abs(tape.gradient(found, images)).max(axis=(1, 2, 3)).min() > 0
    expected, told = 0, group_size > 1  # how much images differ is one more channel
    for i, num in enumerate(halvings):
        channels = [widths[i] + told, *widths[i + 1:]]
        for before, after in zip(channels[:num], widths[i + 1:]):
            expected += conv(4, before, after) + 2 * normalized * after
        expected += conv(4, channels[num], 1)
    assert sum(np.prod(v.shape) for v in network.trainable_variables) == expected
    grey = tf.constant(noise(2, 64, 64)[..., :1])
    np.testing.assert_allclose(network(grey), network(tf.repeat(grey, 3, axis=-1)), atol=1e-5)


def test_an_image_is_judged_by_how_much_those_of_its_group_differ():
    """Two equal ones and two that differ have other logits; by itself an image has the same, whatever comes with it."""
    one, other = (noise(1, 64, 64) * [[[1.0, 0.5, scale]]] for scale in (1.0, -1.0))
    alike, unlike = np.concatenate([one, one]), np.concatenate([one, other])
    told, not_told = (ImageJudge(128, (4, 8, 16, 32), group_size=size) for size in (8, 1))
    assert np.abs(told(alike)[0] - told(unlike)[0]).min() > 1e-4
    np.testing.assert_allclose(not_told(alike)[0], not_told(unlike)[0], atol=1e-4)


@pytest.mark.parametrize("num_blocks", [6, 9])
def test_resnet_parameters(num_blocks):
    """c7s1-64, d128, d256, R256 ..., u128, u64, c7s1-3; a bias only where no normalization follows."""
    def unbiased(*args):
        return conv(*args, bias=False)

    block = 2 * (unbiased(3, 256, 256) + norm(256))
    expected = (unbiased(7, 3, 64) + norm(64) + unbiased(3, 64, 128) + norm(128) + unbiased(3, 128, 256) + norm(256)
                + num_blocks * block
                + unbiased(3, 256, 128) + norm(128) + unbiased(3, 128, 64) + norm(64) + conv(7, 64, 3))
    assert built(ResNet(num_blocks=num_blocks), 16).count_params() == expected


def test_widths():
    def widths(network):
        built(network)
        return [layer.filters for layer in network._flatten_layers() if hasattr(layer, "filters")
                and isinstance(layer, tf.keras.layers.Layer) and hasattr(layer, "kernel_size")]

    assert sorted(widths(UNet())) == sorted([32, 64, 128, 256, 128, 64, 32, 3])
    assert sorted(widths(PatchGAN())) == sorted([64, 128, 256, 512, 1])
    assert sorted(widths(ResNet(num_blocks=1))) == sorted([64, 128, 256, 256, 256, 128, 64, 3])


# Shapes.

@pytest.mark.parametrize("make", GENERATORS)
def test_generators_take_any_size_and_keep_it(make):
    network = make()
    for height, width in ((32, 32), (48, 80), (64, 32), (network.size_minimum, network.size_minimum)):
        for batch in (1, 2):
            assert network(noise(batch, height, width)).shape == [batch, height, width, 3]


@pytest.mark.parametrize("make", GENERATORS)
def test_generators_put_out_a_tanh(make):
    """Large weights in the last layer drive a tanh to its limits, and nothing beyond them."""
    network = built(make())
    kernel = network.to_image.kernel
    kernel.assign(kernel * 1e4)
    images = network(noise(2, 32, 32)).numpy()
    assert images.dtype == np.float32
    assert images.min() == -1 and images.max() == 1


@pytest.mark.parametrize("height, width", [(128, 128), (32, 32), (64, 96)])
def test_patchgan_has_one_logit_for_16_pixels_squared(height, width):
    logits = PatchGAN(filters=4)(noise(2, height, width))
    assert logits.shape == [2, height // 16, width // 16, 1] and logits.dtype == tf.float32
    assert logits.shape[1:3] == [8, 8] or height != 128


@pytest.mark.parametrize("height, width", [(128, 128), (32, 32), (64, 96)])
def test_two_scales_have_two_logits_for_8_pixels_squared(height, width):
    """Those of the half size are repeated: four of the finer map have the same."""
    network, images = built(TwoScalePatchGAN(filters=4)), noise(2, height, width)
    logits = network(images).numpy()
    assert logits.shape == (2, height // 8, width // 8, 2)
    np.testing.assert_allclose(logits[..., 0], network.scales[0](images)[..., 0], atol=1e-6)
    small = images.reshape([2, height // 2, 2, width // 2, 2, 3]).mean(axis=(2, 4))
    coarse = network.scales[1](small)[..., 0].numpy()
    np.testing.assert_allclose(logits[..., 1], coarse.repeat(2, axis=1).repeat(2, axis=2), atol=1e-5)


@pytest.mark.parametrize("make, size", [
    (lambda: PatchGAN(2), 94), (lambda: DISCRIMINATORS["patchgan-70"](2), 70),
    (lambda: TwoScalePatchGAN(2).scales[0], 46)])
def test_the_patch_that_a_logit_sees(make, size):
    """Without normalization, which sees all: the pixels on which a logit in the middle of a large image depends."""
    network = built(make(), 192)
    network.norms = [lambda x: x for _ in network.norms]
    images = tf.constant(noise(1, 192, 192))
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = network(images)
        logit = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    seen = np.abs(tape.gradient(logit, images)[0]).sum(axis=-1) > 0
    assert seen.any(axis=0).sum() == seen.any(axis=1).sum() == size


def test_a_large_part_of_the_default_generator_leaves_the_image_alone():
    """With the last layer's weights at 0 but one for each colour, the skip of the image alone is left."""
    network, images = built(ResUNet(filters=4)), noise(2, 32, 48)
    kernel = np.zeros(network.to_image.kernel.shape, np.float32)
    kernel[2, 2, -3:] = np.eye(3)
    network.to_image.kernel.assign(kernel)
    np.testing.assert_allclose(network(images), np.tanh(images), atol=1e-6)


@pytest.mark.parametrize("scale", [0, 1])
def test_each_skip_of_the_default_generator_carries_the_image(scale):
    """With no small maps, and the image's own skip cut, the output depends on the image until this skip is cut too."""
    network = built(ResUNet(filters=4))

    def cut(kernel, part):
        values = kernel.numpy()
        values[:, :, part] = 0
        kernel.assign(values)

    def change():
        return np.abs(network(noise(1, 64, 64)) - network(noise(1, 64, 64, seed=1))).max()

    cut(network.to_image.kernel, slice(-3, None))
    for norm in (network.up_norms if scale == 1 else network.up_norms[:1]):
        for variable in norm.trainable_variables:
            variable.assign(tf.zeros_like(variable))  # nothing comes from smaller maps
    join = network.joins[scale].kernel
    if scale == 0:
        cut(network.joins[1].kernel, slice(join.shape[-1] // 2, None))  # what is left is from the larger of the two
    assert change() > 1e-6
    cut(join, slice(join.shape[2] // 2, None))
    assert change() == 0


def test_projected_maps_are_mixed_from_the_smallest_up():
    """By the definition, with numpy: a map's channels mixed, plus what lies below, enlarged; both of one weight."""
    network = ProjectedDiscriminator(2, (3, 4, 5, 6))
    maps = [noise(2, size, size, seed=size)[..., :1] * np.linspace(-1, 1, channels, dtype=np.float32)
            for size, channels in zip((16, 8, 4, 2), (24, 40, 112, 320))]
    logits = network(maps)
    assert [tuple(each.shape) for each in logits] == [(2, 8, 8, 1), (2, 4, 4, 1), (2, 4, 4, 1), (2, 2, 2, 1)]
    below = None
    for i in (3, 2, 1, 0):
        mixed = maps[i] @ network.mixtures[i].kernel[0, 0].numpy()
        if below is not None:
            lower = tf.image.resize(below @ network.from_smaller[i].kernel[0, 0].numpy(), mixed.shape[1:3], "bilinear")
            mixed = (mixed + lower.numpy()) / np.sqrt(2)
        np.testing.assert_allclose(_mixed(maps, network.mixtures, network.from_smaller)[i], mixed, atol=1e-5)
        below = mixed


def test_patchgan_puts_out_logits():
    """No sigmoid: the last layer's weights, times a thousand, are the output's, and both signs occur."""
    network = built(PatchGAN(filters=4))
    logits = network(noise(2, 64, 64)).numpy()
    network.to_logits.kernel.assign(network.to_logits.kernel * 1000)
    np.testing.assert_allclose(network(noise(2, 64, 64)), logits * 1000, rtol=1e-3, atol=1e-3)
    assert logits.min() < 0 < logits.max()


@pytest.mark.parametrize("make", NETWORKS)
def test_images_of_a_batch_do_not_mix(make):
    network, images = make(), noise(3, 32, 32)
    np.testing.assert_allclose(network(images)[1:2], network(images[1:2]), atol=1e-5)


@pytest.mark.parametrize("make", NETWORKS)
def test_output_depends_on_the_input_at_the_smallest_size(make):
    network = make()
    shape = [1, network.size_minimum, network.size_minimum]
    assert np.abs(network(noise(*shape)) - network(noise(*shape, seed=1))).max() > 1e-5


# Weights.

@pytest.mark.parametrize("make", NETWORKS)
def test_initial_weights_are_a_function_of_the_seed(make):
    def weights(seed):
        tf.keras.utils.set_random_seed(seed)
        return np.concatenate([w.ravel() for w in built(make()).get_weights()])

    np.testing.assert_array_equal(weights(0), weights(0))
    assert (weights(0) != weights(1)).mean() > 0.9  # all kernels; scales and offsets start equal


@pytest.mark.parametrize("make", [UNet, ResUNet, lambda: ResNet(num_blocks=1), PatchGAN, TwoScalePatchGAN])
def test_initial_weights(make):
    """N(0, 0.02) for every kernel, 1 for every scale, 0 for every bias and offset."""
    for weights in built(make()).get_weights():
        if weights.ndim == 4:
            tolerance = 5 * 0.02 / np.sqrt(weights.size)
            assert abs(weights.mean()) < tolerance and abs(weights.std() - 0.02) < tolerance
        else:
            assert np.all(weights == weights[0]) and weights[0] in (0, 1)


@pytest.mark.parametrize("make", NETWORKS)
def test_every_weight_has_a_gradient(make):
    network, images = make(), noise(1, 64, 64)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(images) * noise(1, 1, 1)[..., :1])
    gradients = tape.gradient(loss, network.trainable_variables)
    assert len(gradients) > 10 and all(g is not None for g in gradients)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_each_skip_of_the_unet_carries_the_image(level):
    """With all other ways from the image to the output cut, the output still depends on it; without this one not."""
    network = built(UNet(filters=4))
    readers = [network.up_convolutions[1], network.up_convolutions[2], network.to_image]  # of what follows each skip

    def cut_skip(i):
        kernel = readers[i].kernel.numpy()
        kernel[:, :, kernel.shape[2] // 2:] = 0  # the second half of the channels is the skip
        readers[i].kernel.assign(kernel)

    def change():
        return np.abs(network(noise(1, 64, 64)) - network(noise(1, 64, 64, seed=1))).max()

    for variable in network.up_norms[level].trainable_variables:
        variable.assign(tf.zeros_like(variable))  # nothing comes from deeper levels
    for i in range(level + 1, 3):
        cut_skip(i)
    assert change() > 1e-6
    cut_skip(level)
    assert change() == 0


def test_dropout_of_the_unet():
    network, images = UNet(filters=4, dropout=0.5), noise(1, 32, 32)
    plain = network(images).numpy()
    np.testing.assert_array_equal(network(images, seed=[0, 1]), plain)
    first, again, other = (network(images, training=True, seed=tf.constant(seed)) for seed in ([0, 1], [0, 1], [0, 2]))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - plain).max() > 0 and np.abs(first - other).max() > 0


def test_residual_blocks_add_to_their_input():
    """With the second normalization's scale and offset 0 a block hands its input on."""
    network = built(ResNet(filters=4, num_blocks=1))
    block, inputs = network.blocks[0], tf.random.stateless_normal([1, 6, 6, 16], [0, 1])
    assert np.abs(block(inputs) - inputs).max() > 0.1
    block.norms[1].set_weights([np.zeros(16), np.zeros(16)])
    np.testing.assert_array_equal(block(inputs), inputs)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 2), (2, 2), (4, 4), (2, 8)])
@pytest.mark.parametrize("batch", [1, 2])
def test_convolutions_of_few_pixels_are_those_of_many(monkeypatch, height, width, batch):
    """By matrix products or by TensorFlow's convolutions: the same values and gradients."""
    rng = np.random.default_rng(0)
    small, large = (rng.normal(size=[batch, h, w, 3]).astype(np.float32)
                    for h, w in ((height, width), (2 * height, 2 * width)))
    for layer, inputs in ((pix2pix._Halving(5, 4, 2, padding="same"), large),
                          (pix2pix._Doubling(5, 4, 2, padding="same"), small)):
        found = []
        for few in (1000, 0):
            monkeypatch.setattr(pix2pix, "_FEW", few)
            x = tf.constant(inputs)
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = layer(x)
                loss = tf.reduce_sum(outputs * tf.reshape(tf.range(tf.size(outputs), dtype=tf.float32), outputs.shape))
            found.append([outputs, *tape.gradient(loss, [x, layer.kernel, layer.bias])])
        for ours, theirs in zip(*found):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)
