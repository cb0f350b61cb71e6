"""For tests that a step's update does not depend on how it is computed: every method, small, on the same batches."""
import dataclasses

import numpy as np
import tensorflow as tf
from noise_gans import EPOCH, NO_DROPOUT, SGD, batch_of, tiny

from tf2gan.gans import GANS
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan, compile_steps
from tf2gan.training.options import Options

BATCH, STEPS = 8, 2
# One preset a method: its networks are what differs. The penalty of wgan-gp has a gradient of a gradient.
EVERY = [("gan", "gan"), ("dcgan", "dcgan"), ("cgan", "cgan"), ("wgan", "wgan-gp"), ("progan", "progan"),
         ("sgan", "sgan-features"), ("projected", "projected"), ("fastgan", "fastgan"), ("cyclegan", "default"),
         ("pix2pix", "pix2pix"), ("cut", "cut")]
# SGD, since Adam hides wrong factors; no dice that each part of a batch throws for itself.
TRANSLATORS = {"cyclegan": {"dropout": 0.0, "pool_size": 50}, "pix2pix": {"dropout": 0.0},
               "cut": {"vector_size": 4, "num_patches": 10, "learning_rate": 1e-7}}
SIZES = {"dcgan-transpose": "24", "sgan-features": "24", "paper": "16"}


def config_of(name, preset, **changes):
    if name in TRANSLATORS:
        values = {"image_size": "64", "generator_filters": 2, "discriminator_filters": 2, "projected_weight": 0.0,
                  "optimizer": "sgd", "learning_rate": 1e-3, **TRANSLATORS[name]}
    else:
        values = {"image_size": SIZES.get(preset, "8"), "channels": 1, "latent_size": 5, **NO_DROPOUT, **SGD,
                  "generator_learning_rate": 0.01, "discriminator_learning_rate": 0.01, **tiny(name, preset)}
        if name in ("progan", "projected"):
            values["group_size"] = 1  # they compare images of a batch
    values = {"batch_size": BATCH, **values, **changes}
    config = GANS[name].presets[preset]
    known = {field.name for field in dataclasses.fields(config)}
    return dataclasses.replace(config, **{key: value for key, value in values.items() if key in known})


def built(config, name, replicas=1, **options):
    """(GAN, strategy); the precision is that of this process until another GAN is built."""
    strategy = make_strategy(Options(replicas=replicas, **options))
    return build_gan(GANS[name], config, 1000, strategy, num_epoch=EPOCH), strategy


def trained(config, name, replicas=1, **options):
    """(GAN, logs) after STEPS steps from images that are the same however they are cut into batches."""
    gan, strategy = built(config, name, replicas, **options)
    whole = dataclasses.replace(config, batch_size=BATCH, accumulate=1)
    gan.config = whole
    every = [example(gan, name, seed) for seed in range(STEPS * gan.batches_per_step)]
    gan.config = config
    data = tf.data.Dataset.from_tensor_slices({key: np.concatenate([batch[key] for batch in every])
                                               for key in every[0]})
    batches = iter(strategy.experimental_distribute_dataset(data.batch(config.real_batch_size, drop_remainder=True)))
    logs = compile_steps(gan, strategy, gan.phase(), options.get("jit", False))(batches, tf.constant(STEPS))
    assert all(np.isfinite(value) for value in logs.values())
    return gan, logs


def example(gan, name, seed):
    if name not in TRANSLATORS:
        return batch_of(gan, seed)
    random = np.random.default_rng(seed)
    return {key: random.uniform(-1, 1, [BATCH, 64, 64, 3]).astype(np.float32) for key in "xy"}


def weights(gan):
    return {f"{variable.name} {i}": variable.numpy() for i, variable in enumerate(gan.trained_variables)}


def check_same(found, expected, start, tolerance):
    """That weights moved from `start` to the same place, up to `tolerance`, of their way where it is longer than 1."""
    moved = max(np.abs(expected[name] - start[name]).max() for name in start)
    assert moved > 5e-5, "else agreement would mean nothing"
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance * max(1.0, moved), err_msg=name)


def mixes_images(gan):
    """Whether what a network makes of an image depends on its batch, or on how often the network was called before."""
    layers = [layer for network, _ in gan.networks.values() for layer in network._flatten_layers()]
    return any(word in type(layer).__name__ for layer in layers for word in ("BatchNorm", "Spectral", "ClassCondition"))
