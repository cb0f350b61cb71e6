"""--precision bfloat16: what is computed in it, what is not, and how near it comes to float32."""
import dataclasses
import functools
import os
import tempfile
import types

import numpy as np
import pytest
import tensorflow as tf
import tool
from gans.noise_gans import EPOCH, TINY, batch_of

from tf2gan.gans import GANS, losses
from tf2gan.models import generation
from tf2gan.networks import layers, progressive
from tf2gan.networks.upsampling import UpsamplingConv2D
from tf2gan.runs import run_folder
from tf2gan.runs.restore import load_gan
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan
from tf2gan.training.options import Options

LAST_BIT = 2.0 ** -8  # of a bfloat16 that is rounded, the error may be half of it

# One preset for each network and each kind of update; of the others only numbers differ.
PRESETS = ("gan-deep", "dcgan", "dcgan-transpose", "cgan", "wgan", "wgan-gp", "sgan", "sgan-dense", "sgan-features",
           "progan", "projected", "fastgan")
TRANSLATIONS = ("resunet", "unet", "resnet")
EVERY = (*PRESETS, *TRANSLATIONS)


@pytest.fixture(autouse=True)
def _float32_again():
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.fixture
def mixed():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")


def make(name, precision="bfloat16", **changes):
    """(gan, its strategy, a step's arguments) of a tiny GAN of this preset, or of CycleGAN with this generator."""
    strategy = make_strategy(Options(precision=precision))
    if name in TRANSLATIONS:
        config = dataclasses.replace(GANS["cyclegan"].Config(), generator=name, image_size="32", batch_size=2,
                                     pool_size=4, generator_filters=4, discriminator_filters=4,
                                     num_blocks=None if name == "unet" else 2)
        gan = build_gan(GANS["cyclegan"], config, 100, strategy)
        images = tf.random.stateless_uniform([2, 2, 32, 32, 3], [1, 2], -1.0, 1.0)
        return gan, strategy, [{"x": images[0], "y": images[1]}]
    model, preset = GANS.names()[name]
    tiny = {} if preset == "sgan-dense" else TINY[model]
    changes = {"image_size": {"dcgan-transpose": "32", "sgan-features": "24"}.get(name, "8"), "channels": 1,
               "latent_size": 5, "batch_size": 8, **tiny, **({"classes": 3} if model == "sgan" else {}), **changes}
    config = dataclasses.replace(GANS[model].presets[preset or model], **changes)
    gan = build_gan(GANS[model], config, 100, strategy, num_epoch=EPOCH)
    return gan, strategy, [batch_of(gan, seed=i) for i in range(gan.batches_per_step)]


@functools.lru_cache(maxsize=None)
def traced(name):
    """A step in bfloat16: its `operations`; `saved`, {name: type} of what a checkpoint holds."""
    gan, strategy, batches = make(name)
    train_step = functools.partial(gan.train_step, **gan.phase())
    step = tf.function(lambda *batches: strategy.run(train_step, args=batches)).get_concrete_function(*batches)
    with tempfile.TemporaryDirectory() as folder:
        tf.train.Checkpoint(gan=gan).write(os.path.join(folder, "state"))
        saved = tf.train.load_checkpoint(os.path.join(folder, "state")).get_variable_to_dtype_map()
    return types.SimpleNamespace(operations=step.graph.get_operations(), graph=step.graph, saved=saved,
                                 gan=gan)


# What is computed in which type.

@pytest.mark.parametrize("name", EVERY)
def test_all_but_the_last_layers_multiply_in_bfloat16(name):
    """Forward and backward, of both networks; what makes images or logits is in float32.

    So are spectral norms, of a few numbers, and a frozen network, which learned its weights in float32.
    """
    found = {tf.float32: [], tf.bfloat16: []}
    for operation in traced(name).operations:
        if operation.type in ("Conv2D", "MatMul", "BatchMatMulV2", "Conv2DBackpropInput", "Conv2DBackpropFilter"):
            found[operation.outputs[0].dtype].append(operation.name)
    assert len(found[tf.bfloat16]) >= 6 and found[tf.float32]
    exact = ("/to_", "spectral_norm", "frozen")
    assert not [name for name in found[tf.float32] if not any(part in name for part in exact)]
    assert not [name for name in found[tf.bfloat16] if "/to_" in name]


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_averaged_or_counted_up_in_bfloat16(name):
    """TensorFlow 2.15 averages wrongly in it; a bias's gradient is right where oneDNN makes it with the kernel's."""
    operations = [each for each in traced(name).operations if tf.bfloat16 in [output.dtype for output in each.outputs]]
    assert not [each.name for each in operations if each.type in ("Mean", "Rsqrt", "Sqrt", "SquaredDifference")]
    alone = [each.name for each in operations if each.type == "BiasAddGrad"
             and not any(other.type == "Conv2DBackpropFilter" for other in each.inputs[0].consumers())]
    assert not alone


@pytest.mark.parametrize("name", EVERY)
def test_checkpoints_are_float32(name):
    """Weights, averages, what optimizers and pools keep."""
    assert {kind for kind in traced(name).saved.values() if kind.is_floating} == {tf.float32}


# How near a step is.

@pytest.mark.parametrize("name", ["gan-deep", "cgan", "wgan-gp", "sgan-dense", "progan", "unet"])
def test_a_step_is_near_that_of_float32(name):
    """What both log of the first step, of the same weights, noise and dropout: 2^-8 for each of a dozen layers."""
    logs = {}
    for precision in ("float32", "bfloat16"):
        gan, strategy, batches = make(name, precision, n_critic=1)  # further updates would drift apart
        logs[precision] = strategy.run(functools.partial(gan.train_step, **gan.phase()), args=batches)
        assert {value.dtype for value in logs[precision].values()} == {tf.float32}
    assert logs["float32"].keys() == logs["bfloat16"].keys()
    differences = {}
    for key, value in logs["float32"].items():
        if "accuracy" not in key:  # which an image crosses in a jump
            differences[key] = abs(float(logs["bfloat16"][key]) - float(value)) / max(1.0, abs(float(value)))
    assert 0 < max(differences.values()) < 12 * LAST_BIT, differences


# Penalties.

@pytest.mark.parametrize("name, value, slope", [
    *((name, (91 ** 0.5 - 1) ** 2, 2 - 2 / 91 ** 0.5) for name in ("wgan-gp", "wgan-gp-one-sided", "dragan")),
    ("r1", 91 / 2, 1)])
def test_penalty_of_a_linear_critic_in_bfloat16(mixed, name, value, slope):
    """D(x) = a x with a = 1 ... 6: bfloat16 has all of a, but neither 91 = |a|^2 in a sum nor its root."""
    critic, num = layers.Dense(1, name="critic"), 500  # more than a sum in bfloat16 counts
    images = tf.random.stateless_normal([2, num, 2, 3, 1], [1, 2])
    uniform = tf.random.stateless_uniform([num, 2, 3, 1], [3, 4])

    def judge(images):
        logits = critic(tf.reshape(images, [num, 6]))
        assert logits.dtype == tf.bfloat16
        return logits

    judge(images[0])
    weights = np.arange(1.0, 7.0, dtype=np.float32)
    critic.set_weights([weights[:, None], np.float32([3])])
    with tf.GradientTape() as tape:
        penalty = losses.PENALTIES[name](judge, *tf.unstack(images), uniform)
    assert penalty.dtype == tf.float32
    assert float(penalty) == pytest.approx(value, rel=1e-6)
    found = tf.convert_to_tensor(tape.gradient(penalty, critic.trainable_variables[0]))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found[:, 0], slope * weights, rtol=2 * LAST_BIT)  # each image's is rounded, and the sum


# Layers.

@pytest.mark.parametrize("name", EVERY)
def test_networks_are_given_all_in_float32(name):
    """Their layers round it. Keras would round all of it beforehand, with Keras 3 a growing network's alpha too."""
    gan = traced(name).gan
    assert {network.compute_dtype for network, _ in (*gan.networks.values(), *gan.averages)} == {"float32"}


def flat(seed, shape=(4, 5, 7, 3)):
    """Numbers of mean 8 and deviation 1/50, which bfloat16 has in steps of 1/16."""
    return np.float32(8 + np.random.default_rng(seed).normal(size=shape) / 50)


@pytest.mark.parametrize("make_layer, axes, epsilon", [
    (layers.instance_normalization, (1, 2), 1e-5), (layers.layer_normalization, (1, 2, 3), 1e-5),
    (layers.batch_normalization, (0, 1, 2), 1e-3)])
def test_statistics_are_of_float32(mixed, make_layer, axes, epsilon):
    inputs, layer = flat(1), make_layer()
    exact = inputs.astype(np.float64)
    expected = (exact - exact.mean(axes, keepdims=True)) / np.sqrt(exact.var(axes, keepdims=True) + epsilon)
    found = layer(inputs, **({"training": True} if 0 in axes else {}))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert np.abs(np.float32(tf.cast(inputs, tf.bfloat16)) - inputs).max() > 0.02  # of which nothing would be left


def test_pixel_normalization_does_not_round_its_inputs(mixed):
    inputs = flat(2)
    expected = inputs / np.sqrt((inputs.astype(np.float64) ** 2).mean(axis=-1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(layers.PixelNormalization()(inputs), expected, rtol=1e-6)


def test_minibatch_deviation_does_not_round_its_inputs(mixed):
    inputs = flat(3)
    expected = np.sqrt(inputs.astype(np.float64).var(axis=0) + 1e-8).mean()
    np.testing.assert_allclose(layers.MinibatchStdDev()(inputs)[..., 3], np.full([4, 5, 7], expected), rtol=1e-3)


@pytest.mark.parametrize("make_layer", [
    lambda: layers.Equalized(4), lambda: layers.WeightNormalized(4)], ids=["equalized", "weight-normalized"])
def test_computed_kernels_are_rounded_once(mixed, make_layer):
    """The layer's output for each unit vector is a row of its kernel."""
    layer = make_layer()
    rows = layer(np.eye(300, dtype=np.float32))
    assert rows.dtype == tf.bfloat16
    if isinstance(layer, layers.Equalized):
        exact = np.float32(np.float64(layer.scale) * layer.kernel.numpy())
    else:
        direction = layer.direction.numpy().astype(np.float64)
        exact = np.float32(layer.length.numpy() * direction / np.sqrt((direction ** 2).sum(axis=0)))
    different = np.float32(rows) != np.float32(tf.cast(exact, tf.bfloat16))
    assert different.mean() < 0.01  # where float32's own rounding decides
    assert (np.float32(rows) != exact).mean() > 0.9


@pytest.mark.parametrize("make_layer", [
    lambda: layers.Dense(3), lambda: layers.Conv2DTranspose(3, 3, 2, padding="same"), lambda: UpsamplingConv2D(3, 3),
    lambda: UpsamplingConv2D(3, 4), lambda: layers.Conv2D(3, 3, padding="same"),
    lambda: layers.Equalized(3, 3), lambda: layers.WeightNormalized(3, 3)],
    ids=["dense", "transposed", "upsampling3", "upsampling4", "convolution", "equalized", "weight-normalized"])
def test_gradient_of_a_bias(mixed, make_layer):
    """Of sum r y it is the sum of r, however many there are."""
    layer = make_layer()
    images = np.random.default_rng(4).normal(size=[20, 16, 16, 2]).astype(np.float32)
    inputs = tf.constant(images.reshape([-1, 2]) if isinstance(layer, tf.keras.layers.Dense) else images)
    weights = np.random.default_rng(5).uniform(0.5, 1.5, layer(inputs).shape).astype(np.float32)

    @tf.function
    def gradient(inputs, weights):  # of constants it would be another graph
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(weights * tf.cast(layer(inputs), tf.float32))
        return tape.gradient(total, layer.trainable_variables)  # with that of the kernel, as in training

    expected = weights.astype(np.float64).reshape([-1, 3]).sum(axis=0)
    np.testing.assert_allclose(gradient(inputs, tf.constant(weights))[-1], expected, rtol=LAST_BIT)


@pytest.mark.parametrize("rate", [0.3, 0.2])
def test_dropout_is_that_of_float32(rate):
    inputs, seed = tf.ones([300, 100]), tf.constant([1, 2])
    exact = layers.Dropout(rate)(inputs, training=True, seed=seed)
    half = layers.Dropout(rate, dtype="mixed_bfloat16")(inputs, training=True, seed=seed)
    assert half.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(half, tf.float32), exact, rtol=LAST_BIT)
    assert float(tf.reduce_mean(tf.cast(half == 0, tf.float32))) == pytest.approx(rate, abs=0.004)


def test_fading_in_is_as_fine_as_in_float32(mixed):
    """To bfloat16 this alpha is 1."""
    alpha, old = tf.constant(0.999), tf.fill([1, 2, 2, 1], 256.0)
    found = progressive.blended(tf.cast(old, tf.bfloat16), tf.zeros([1, 2, 2, 1], tf.bfloat16), alpha)
    np.testing.assert_allclose(tf.cast(found, tf.float32), np.full([1, 2, 2, 1], 0.256), rtol=LAST_BIT)
    generator = progressive.ProgressiveGenerator(8, 1, 16, 4)
    latents = tf.random.stateless_normal([3, 5], [1, 2])
    below, new, between = (generator(latents, 1, tf.constant(each)) for each in (0.0, 1.0, 0.999))
    np.testing.assert_allclose(between, 0.001 * below.numpy() + 0.999 * new.numpy(), atol=1e-6)
    np.testing.assert_array_equal(new, generator(latents, 1, None))
    assert np.abs(between - new).max() > 1e-5


# Using a run.

def test_a_run_is_used_in_float32(tmp_path):
    """Also by whoever trains in bfloat16 in the same process; up to rounding, it generates as in training."""
    data, folder = tool.make_class_images(tmp_path / "harvest"), tmp_path / "run"
    process = tool.run_here(*tool.small("dcgan"), "--dataset", data, "--steps", "2", "--precision", "bfloat16",
                            "--run-dir", folder, "--channels", "1")
    assert process.returncode == 0, process.stderr
    assert tf.keras.mixed_precision.global_policy().name == "float32"  # as it was before
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    gan, record = load_gan(folder)
    assert record["options"]["precision"] == "bfloat16"
    assert tf.keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    assert {layer.compute_dtype for layer in gan.average._flatten_layers()} == {"float32"}
    trained = type(gan)(gan.config, 100)
    run = run_folder.Run(folder)
    run.restore(trained, run.newest())
    latents = gan.latents(4, 0)
    exact, half = gan.generate(latents).numpy(), trained.generate(latents).numpy()
    assert 0 < np.abs(exact - half).max() < 4 * LAST_BIT * np.abs(exact).max()
    for of, images in ((gan, exact), (trained, half)):  # an export computes as what it is made of
        outputs = generation.signatures(of)["latents"](latents)["images"]
        assert outputs.dtype == tf.float32
        np.testing.assert_allclose(outputs, (images + 1) / 2, atol=1e-6 if of is gan else LAST_BIT)
