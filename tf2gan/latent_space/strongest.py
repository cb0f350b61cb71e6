"""The directions along which a generator's pictures change most, without labels or a classifier.

A step d from a latent z changes the picture by J d, J the generator's derivative there: its pixels change by d' J'J d.
The eigenvectors of J'J that belong to its largest values do most, and they are nearly the same at all latents (Wang and
Ponce 2021, "The geometry of deep generative image models and its applications"). So their mean matrix is taken.
"""
import numpy as np
import tensorflow as tf

_LATENTS = 32  # at which the derivative is taken
_PROBES = 6  # random sums of pixels whose gradient is taken, for each


def directions(generate, facts, num=6, seed=0) -> np.ndarray:
    """The `num` strongest directions, or as many as there are: float32 [num, latent_size], each of length 1.

    Args:
        generate: function of `latents` and, if the model takes them, `labels`, by name; returns {"images": float32
            [batch, height, width, channels]}, with a gradient. The signature `latents` of an export is one.
        facts: `models.generation.Traits` of the model.
        seed: of the latents and sums that are tried.

    A direction's sign has no meaning; its largest number is positive.
    """
    dice = np.random.default_rng(seed)
    shape = [_LATENTS, facts.latent_size]
    latents = dice.uniform(-1.0, 1.0, shape) if facts.latent_distribution == "uniform" else dice.normal(size=shape)
    latents = tf.constant(latents, tf.float32)
    labels = {} if facts.num_classes is None else {"labels": tf.range(_LATENTS, dtype=tf.int64) % facts.num_classes}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(latents)
        pictures = generate(latents=latents, **labels)["images"]
        sums = [tf.reduce_sum(pictures * dice.normal(size=pictures.shape).astype(np.float32)) for _ in range(_PROBES)]
    # For a sum with weights r from N(0, 1), the gradient is J'r, and the mean of J'r r'J is J'J.
    gradients = np.concatenate([tape.gradient(total, latents).numpy() for total in sums]).astype(np.float64)
    _, vectors = np.linalg.eigh(gradients.T @ gradients)  # the largest value is last
    found = vectors[:, ::-1].T[:num]
    signs = np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])
    return (found * signs[:, np.newaxis]).astype(np.float32)
