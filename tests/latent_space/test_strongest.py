"""The strongest directions are those that a derivative has, in closed form where the generator is linear."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.latent_space import strongest
from tf2gan.models.generation import Traits


def linear(size, strengths, turned):
    """A generator whose pictures change by `strengths` along the columns of `turned`, and not along others."""
    dice = np.random.default_rng(1)
    pixels, _ = np.linalg.qr(dice.normal(size=[12, len(strengths)]))
    matrix = tf.constant((pixels * strengths) @ turned[:, :len(strengths)].T, tf.float32)

    def generate(latents, labels=None):
        shift = 0.0 if labels is None else tf.cast(labels, tf.float32)[:, tf.newaxis]
        return {"images": tf.reshape(latents @ tf.transpose(matrix) + shift, [-1, 3, 4, 1])}

    return generate


@pytest.mark.parametrize("distribution, classes", (("normal", None), ("uniform", None), ("normal", 3)))
def test_a_linear_generator(distribution, classes):
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=[8, 8]))
    found = strongest.directions(linear(8, [16.0, 4.0, 1.0], turned), Traits((3, 4, 1), 8, distribution, classes), num=3)
    assert found.shape == (3, 8) and found.dtype == np.float32
    # Probes are random, so that a direction leans towards weaker ones a little.
    assert np.all(np.abs(np.sum(found * turned[:, :3].T, axis=1)) > [0.99, 0.95, 0.95])
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-5)
    assert np.all(found[np.arange(3), np.abs(found).argmax(axis=1)] > 0.0)


def test_no_more_than_there_are():
    turned = np.eye(2)
    assert strongest.directions(linear(2, [2.0, 1.0], turned), Traits((3, 4, 1), 2, "normal")).shape == (2, 2)


def test_they_change_the_pictures_of_an_export_more_than_others(root):
    from tf2gan.models.generation import Sampler

    sampler = Sampler.from_savedmodel(root / "savedmodels" / "dcgan-mnist")
    found = strongest.directions(sampler._functions["latents"], sampler.traits)
    dice = np.random.default_rng(2)
    latents, others = sampler.latents(40, 5), dice.normal(size=[6, sampler.latent_size])
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    pictures = sampler.images(latents).astype(float)

    def change(direction):
        return np.square(sampler.images(latents + 0.5 * direction) - pictures).mean()

    assert min(map(change, found)) > 2.0 * max(map(change, others))
