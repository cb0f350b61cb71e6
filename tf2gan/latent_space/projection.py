"""Projection: finds the latent whose image is nearest to a given one, by gradient descent from random starts."""
import dataclasses
from typing import Tuple

import numpy as np
import tensorflow as tf

from tf2gan.core.errors import Failure, UserError
from tf2gan.core.seeds import fold
from tf2gan.metrics import imagenet, perceptual
from tf2gan.networks.efficientnet import EfficientNetLite0

STEPS = 300
STARTS = 4
LEARNING_RATE = 0.1
# Not the usual beta_2 of 0.999: gradients shrink by orders of magnitude during the descent, and a long memory of the
# first ones would keep later steps short. With 0.9, the mean absolute error of MNIST's images after 300 steps was a
# quarter smaller.
_BETAS, _EPSILON = (0.9, 0.9), 1e-12
_SMALLEST = 4  # pixels: shorter side of the smallest version that is compared


@dataclasses.dataclass(frozen=True)
class Projection:
    """The latent that a descent found, and the path of its best start."""

    latent: np.ndarray  # float32 [latent_size], the last of `snapshots`
    snapshots: np.ndarray  # float32 [num_snapshots, latent_size]
    steps: Tuple[int, ...]  # number of steps done before each snapshot: first 0, last all
    losses: Tuple[float, ...]  # of each snapshot
    error: float  # mean absolute error of the image of `latent`, in units of [0, 1]


def project(generator, image, steps=STEPS, starts=STARTS, seed=0, learning_rate=LEARNING_RATE, num_snapshots=8,
            progress=None, loss="pixels"):
    """The Projection of an image, uint8 [height, width, channels] of the generator's size.

    Adam minimizes `pyramid_loss`, to which `loss` "perceptual" adds `metrics.perceptual.distance`; its learning rate falls to 0 along half a cosine. After each step the latents are
    moved back to where those of the generator lie: for N(0, 1) to the length sqrt(latent_size), which nearly all have
    approximately; for U(-1, 1) into the cube. The same arguments give the same result on the same machine.

    Args:
        generator: a `latent_space.generators.Generator`.
        steps: number of steps of the descent.
        starts: number of random latents that descend together; the one with the lowest final loss is kept.
        seed: int, of the random starts. None of them is a latent that `generator.latents` draws.
        learning_rate: the first and highest one; Adam's steps are about that long in each dimension.
        num_snapshots: number of latents kept from the path of the best start; most are early, where most happens.
        progress: if given, called after each step with 1.

    Raises UserError for an image of another size, and for numbers that are too small; Failure if a value is no longer
    finite.
    """
    image = np.asarray(image)
    _check(generator, image, steps, starts, learning_rate, num_snapshots, loss)
    evaluate = _evaluation(generator, image, starts, loss)
    latents = _starts(generator, starts, seed)
    mean, square = np.zeros_like(latents), np.zeros_like(latents)
    last = num_snapshots - 1
    at = [max(number, int(steps * (number / last) ** 2 + 0.5)) for number in range(num_snapshots)]
    kept = []
    for step in range(steps + 1):
        losses, errors, gradients = (value.numpy() for value in evaluate(tf.constant(latents)))
        if not np.all(np.isfinite(losses)) or not np.all(np.isfinite(gradients)):
            raise Failure(f"the descent met values that are not finite at step {step} of {steps}")
        if step in at:
            kept.append((latents, losses))
        if step < steps:
            gradients = _possible(generator, latents, gradients)
            mean = _BETAS[0] * mean + (1 - _BETAS[0]) * gradients
            square = _BETAS[1] * square + (1 - _BETAS[1]) * gradients ** 2
            unbiased = [moment / (1 - beta ** (step + 1)) for moment, beta in zip((mean, square), _BETAS)]
            rate = learning_rate * (1 + np.cos(np.pi * step / steps)) / 2
            latents = _returned(generator, latents - rate * unbiased[0] / (np.sqrt(unbiased[1]) + _EPSILON))
            if progress is not None:
                progress(1)
    best = int(np.argmin(losses))
    snapshots = np.stack([latents[best] for latents, _ in kept])
    return Projection(snapshots[-1], snapshots, tuple(at), tuple(float(losses[best]) for _, losses in kept),
                      float(errors[best]))


def pyramid_loss(images, target):
    """Mean squared error, averaged over the full image size and each halved size down to 4 pixels: [n].

    Strokes that do not overlap have no gradient towards each other; in average-pooled versions they do overlap.

    Args:
        images: float32 [n, height, width, channels].
        target: float32 [1 or n, height, width, channels].
    """
    difference = images - target  # pooling is linear, so it can follow the subtraction
    levels = [difference]
    while min(levels[-1].shape[1:3]) >= 2 * _SMALLEST:
        levels.append(tf.nn.avg_pool2d(levels[-1], 2, 2, "VALID"))
    return tf.add_n([tf.reduce_mean(tf.square(level), [1, 2, 3]) for level in levels]) / len(levels)


def _check(generator, image, steps, starts, learning_rate, num_snapshots, loss):
    shape = (*generator.image_size, generator.channels)
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(f"an image is uint8 [height, width, channels]; this is {image.dtype} {list(image.shape)}")
    if image.shape != shape:
        size, own = ("x".join(map(str, shape)) for shape in (image.shape, shape))
        raise UserError(f"an image {size} cannot be projected: those of {generator.name} are {own}")
    for name, value, lowest in (("steps", steps, 1), ("starts", starts, 1), ("snapshots", num_snapshots, 2)):
        if value < lowest:
            raise UserError(f"{name} {value}: must be at least {lowest}")
    if num_snapshots > steps + 1:
        raise UserError(f"snapshots {num_snapshots}: {steps} steps have at most {steps + 1}")
    if loss == "perceptual":
        imagenet.check_channels(generator.channels)
    if not 0.0 < learning_rate < np.inf:
        raise UserError(f"learning rate {learning_rate}: must be above 0 and finite")


def _evaluation(generator, image, starts, loss):
    """A function from latents to (losses [starts], mean absolute errors [starts], gradients [starts, latent_size])."""
    target = tf.constant(image[np.newaxis], tf.float32) / 255.0
    network = EfficientNetLite0() if loss == "perceptual" else None

    @tf.function(input_signature=[tf.TensorSpec([starts, generator.latent_size], tf.float32)])
    def evaluate(latents):
        with tf.GradientTape() as tape:
            tape.watch(latents)
            images = generator(latents)
            losses = pyramid_loss(images, target)
            if network is not None:
                losses += perceptual.distance(network, 255.0 * images, 255.0 * target)
        # Of the sum of the losses, so that starts are independent; zero if the image does not depend on the latents.
        gradients = tape.gradient(losses, latents, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return losses, tf.reduce_mean(tf.abs(images - target), [1, 2, 3]), gradients

    return evaluate


def _starts(generator, starts, seed):
    # Not generator.latents: projecting the image of a seed with the same seed would find it before the first step.
    draw = tf.random.stateless_uniform if generator.latent_distribution == "uniform" else tf.random.stateless_normal
    limits = {"minval": -1.0, "maxval": 1.0} if generator.latent_distribution == "uniform" else {}
    return _returned(generator, draw([starts, generator.latent_size], fold(seed, "projection"), **limits).numpy())


def _possible(generator, latents, gradients):
    """On the sphere: gradients without the radial part, which `_returned` undoes but Adam would scale up."""
    if generator.latent_distribution == "uniform":
        return gradients
    along = np.sum(gradients * latents, axis=1, keepdims=True) / np.sum(latents ** 2, axis=1, keepdims=True)
    return gradients - along * latents


def _returned(generator, latents):
    """The points nearest to `latents` on the sphere or in the cube where the generator's latents lie: float32."""
    if generator.latent_distribution == "uniform":
        return np.clip(latents, -1.0, 1.0).astype(np.float32)
    lengths = np.linalg.norm(latents, axis=1, keepdims=True)
    return (latents * (np.sqrt(generator.latent_size) / np.maximum(lengths, _EPSILON))).astype(np.float32)
