"""For the tests of GANs from noise: small ones, what they are given, and what they hold."""
import dataclasses
import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.gans import GANS
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan
from tf2gan.training.options import Options

NOISE_GANS = [name for name in GANS if GANS[name].abilities.samples]
PRESETS = [(name, preset) for name in NOISE_GANS for preset in GANS[name].presets]
FILTERS = {"generator_filters": 2, "discriminator_filters": 2}
TINY = {"gan": {"generator_widths": "6", "discriminator_widths": "6"}, "dcgan": FILTERS, "wgan": FILTERS,
        "cgan": {**FILTERS, "num_classes": 3}, "sgan": {**FILTERS, "classes": 3},
        "projected": {"image_size": "32", "channels": 3, "generator_filters": 1},
        "fastgan": {"image_size": "32", "channels": 3, "generator_filters": 1},
        "progan": {"feature_base": 16, "feature_max": 3, "fade_images": "16", "stable_images": "16"}}
EPOCH = 100  # images
NO_DROPOUT = {"generator_dropout": 0.0, "discriminator_dropout": 0.0}
SGD = {"generator_optimizer": "sgd", "discriminator_optimizer": "sgd"}


def noise(num=8, size=8, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [num, size, size, channels]).astype(np.float32)


def images_of(gan, num=None, seed=0):
    height, _, channels = gan.image_shape
    return tf.constant(noise(num or gan.config.real_batch_size, height, channels, seed))


def batch_of(gan, seed=0):
    """Real images, and whatever else it takes: labels, other images of which it has the labels."""
    batch = {}
    for i, (name, spec) in enumerate(gan.batch_spec(gan.config.batch_size).items()):
        if name.endswith("labels"):
            classes = gan.num_classes if gan.abilities.takes_labels else gan.config.classes
            batch[name] = tf.constant((np.arange(spec.shape[0]) + seed) % classes, tf.int64)
        else:
            batch[name] = images_of(gan, seed=seed + 1000 * i)
    return batch


def tiny(name, preset):
    """The options that make this preset's networks small."""
    options = dict(TINY[name])
    if preset == "sgan-dense":  # whose widths are fixed
        options = {key: value for key, value in options.items() if key not in FILTERS}
    return options


def make(name="gan", preset=None, replicas=1, total=1000, **changes):
    """(gan, run): a tiny GAN, and `run(function, *args)`, which calls a method of it in replica context."""
    gan_class = GANS[name]
    config = gan_class.presets[preset or next(iter(gan_class.presets))]
    values = {"image_size": "8", "channels": 1, "latent_size": 5, "batch_size": 8, **tiny(name, preset), **changes}
    strategy = make_strategy(Options(replicas=replicas))
    gan = build_gan(gan_class, dataclasses.replace(config, **values), total, strategy, num_epoch=EPOCH)
    return gan, lambda function, *args, **kwargs: strategy.run(function, args=args, kwargs=kwargs)


def batches(gan, num_steps):
    """Iterator over the batches of so many steps, shared out to replicas as the training loop does it."""
    every = [batch_of(gan, seed=seed) for seed in range(num_steps * gan.batches_per_step)]
    parts = {name: np.concatenate([batch[name] for batch in every]) for name in every[0]}
    dataset = tf.data.Dataset.from_tensor_slices(parts).batch(gan.config.real_batch_size, drop_remainder=True)
    return iter(gan.images_seen.distribute_strategy.experimental_distribute_dataset(dataset))


def steps(gan, num):
    """Logs of each of `num` steps on new images, not compiled, which would take longer than so few steps."""
    strategy, iterator, logs = gan.images_seen.distribute_strategy, batches(gan, num), []
    for _ in range(num):
        step = strategy.run(functools.partial(gan.train_step, **gan.phase()),
                            args=[next(iterator) for _ in range(gan.batches_per_step)])
        gan.end_step(gan.config.images_per_step)
        logs.append({name: float(strategy.reduce("MEAN", value, axis=None)) for name, value in step.items()})
    return logs


def copies(variables):
    return [v.numpy().copy() for v in variables]


def state(gan):
    return {"generator": copies(gan.generator.trainable_variables),
            "statistics of the generator": copies(gan.generator.non_trainable_variables),
            "discriminator": copies(gan.discriminator.trainable_variables),
            "statistics of the discriminator": copies(gan.discriminator.non_trainable_variables),
            "average": copies(gan.average.variables)}


def changed(before, after):
    return {name for name in before if any((a != b).any() for a, b in zip(before[name], after[name]))}


def distance(before, after):
    """Length of the difference of two lists of arrays."""
    return math.sqrt(sum(((a.astype(np.float64) - b) ** 2).sum() for a, b in zip(before, after)))


class Recorder:
    """Stands in for a network or a loss: keeps what it is called with, and returns what `function` makes of it."""

    def __init__(self, function):
        self.function, self.calls = function, []

    def __call__(self, *args, **kwargs):
        self.calls.append(args)
        return self.function(*args, **kwargs)


def mean_logits(images, *condition, training=None, seed=None):
    """A discriminator of known logits: the mean of each image."""
    return tf.reduce_mean(images, axis=[1, 2, 3])[:, None]


def check_same(results):
    """That 1 and 2 replicas have made the same updates; `results`: {replicas: (state, logs of the steps)}."""
    (one, logs), (two, other_logs) = results[1], results[2]
    for part in one:
        for a, b in zip(one[part], two[part]):
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-6, err_msg=part)
    for log, other in zip(logs, other_logs):
        del log["diversity"], other["diversity"]  # over a replica's own images
        assert other == pytest.approx(log, rel=1e-4, abs=1e-5)
