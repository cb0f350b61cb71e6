"""Projection: the latent of a given image, where it is known what that is."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import Failure, UserError
from tf2gan.latent_space import projection

SIZE = 6


class Generator:
    """A stand-in for hub.Generator: 8x8 images of 4x4 squares, linear in their latents about grey, all at right angles.

    Pooled to 4x4 they lose nothing, so that the loss is the squared distance of latents, up to a factor.
    """

    name, hash, latent_size, image_size, channels, latent_distribution = "m/1", "", SIZE, (8, 8), 1, "normal"
    weight = 0.08

    def __init__(self, **changes):
        vars(self).update(changes)
        self.matrix = np.linalg.qr(np.random.default_rng(0).normal(size=[16, SIZE]))[0].T.astype(np.float32)

    def __call__(self, latents):
        squares = 0.5 + self.weight * 4 * tf.reshape(tf.matmul(latents, self.matrix), [-1, 4, 4, 1])
        return tf.repeat(tf.repeat(tf.repeat(squares, 2, axis=1), 2, axis=2), self.channels, axis=3)

    def latents(self, num, seed):
        return np.random.default_rng(seed).normal(size=[num, SIZE]).astype(np.float32)

    def image(self, latent):
        return np.rint(255 * self(latent[np.newaxis]).numpy()[0]).astype(np.uint8)


def on_sphere(seed=3):
    latent = np.random.default_rng(seed).normal(size=SIZE)
    return (latent * np.sqrt(SIZE) / np.linalg.norm(latent)).astype(np.float32)


def in_cube(seed=3):
    return np.random.default_rng(seed).uniform(-1, 1, SIZE).astype(np.float32)


def refusal(function, *args, **kwargs):
    """The message of the UserError, which has to be one line."""
    with pytest.raises(UserError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("distribution, latent", [("normal", on_sphere()), ("uniform", in_cube())])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_only_solution_is_found(distribution, latent, channels):
    generator, done = Generator(latent_distribution=distribution, channels=channels), []
    found = projection.project(generator, generator.image(latent), steps=200, starts=2, progress=done.append)
    np.testing.assert_allclose(found.latent, latent, atol=0.01)  # as exact as 256 levels of grey allow
    assert found.latent.dtype == np.float32 and done == [1] * 200
    difference = generator(found.latent[np.newaxis]).numpy()[0] - generator.image(latent) / 255
    np.testing.assert_allclose(found.error, np.abs(difference).mean(), rtol=1e-3)
    assert found.error < 0.25 / 255 * 1.2  # that of rounding itself, spread evenly over half a level either way


def test_snapshots_lead_from_a_random_start_to_the_result():
    generator = Generator()
    image = generator.image(on_sphere())
    found = projection.project(generator, image, steps=50, starts=3, num_snapshots=6)
    assert found.steps == (0, 2, 8, 18, 32, 50)
    assert found.snapshots.shape == (6, SIZE) and found.snapshots.dtype == np.float32
    np.testing.assert_array_equal(found.snapshots[-1], found.latent)
    target = image[np.newaxis] / np.float32(255)
    np.testing.assert_allclose(found.losses, projection.pyramid_loss(generator(found.snapshots), target), rtol=1e-4)
    assert found.losses[0] > 100 * found.losses[-1]
    assert np.linalg.norm(found.snapshots[0] - found.latent) > 0.3


@pytest.mark.parametrize("steps, num", [(4, 5), (7, 6), (10, 2), (11, 8)])
def test_snapshots_are_of_different_steps(steps, num):
    found = projection.project(Generator(), np.zeros([8, 8, 1], np.uint8), steps=steps, num_snapshots=num).steps
    assert len(found) == num == len(set(found)) and list(found) == sorted(found)
    assert (found[0], found[-1]) == (0, steps)


def test_latents_stay_where_those_of_the_generator_lie():
    beyond = 3 * on_sphere()
    rounding = 1 / 255 / np.sqrt(12) / (4 * 0.02)  # of images: standard deviation, in latents
    found = projection.project(Generator(weight=0.02), Generator(weight=0.02).image(beyond), steps=100)
    np.testing.assert_allclose(np.linalg.norm(found.snapshots, axis=1), np.sqrt(SIZE), rtol=1e-5)
    np.testing.assert_allclose(found.latent, beyond / 3, atol=4 * rounding / 3)
    cube = Generator(latent_distribution="uniform", weight=0.02)
    found = projection.project(cube, cube.image(beyond), steps=100)
    assert np.abs(found.snapshots).max() == 1
    np.testing.assert_allclose(found.latent, np.clip(beyond, -1, 1), atol=4 * rounding)


def test_the_best_start_is_kept():
    """Of a generator whose error has a minimum on either side, one of which is better by far."""
    class Folded(Generator):
        def __call__(self, latents):
            height = tf.where(latents[:, :1] > 0, latents[:, :1], -0.3 * latents[:, :1])
            return tf.reshape(tf.repeat(0.3 * height, 64, axis=1), [-1, 8, 8, 1])

    bright = np.full([8, 8, 1], 255, np.uint8)
    alone = [projection.project(Folded(), bright, steps=30, starts=1, seed=seed).latent[0] for seed in range(5)]
    assert min(alone) < 0 < max(alone)
    together = [projection.project(Folded(), bright, steps=30, starts=8, seed=seed).latent[0] for seed in range(2)]
    assert min(together) > 2


def test_a_seed_gives_the_same_result_and_another_one_other_starts():
    generator = Generator()
    image = generator.image(on_sphere())
    first, again, other = (projection.project(generator, image, steps=7, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.snapshots, again.snapshots)
    assert (first.losses, first.error) == (again.losses, again.error)
    assert np.abs(first.snapshots[0] - other.snapshots[0]).max() > 0.1


def test_no_start_feels_the_others():
    """A start that is best among several descends as it does among fewer."""
    generator = Generator()
    image = generator.image(on_sphere())
    few, many = (projection.project(generator, image, steps=20, starts=starts) for starts in (1, 5))
    assert many.losses[-1] <= few.losses[-1] * (1 + 1e-5)


def test_a_generator_that_ignores_its_latents_stays_where_it_starts():
    class Constant(Generator):
        def __call__(self, latents):
            return tf.fill([tf.shape(latents)[0], 8, 8, 1], 0.25)

    found = projection.project(Constant(), np.full([8, 8, 1], 255, np.uint8), steps=5, num_snapshots=2)
    np.testing.assert_allclose(found.error, 0.75)
    np.testing.assert_allclose(found.snapshots[0], found.latent, rtol=1e-6)


def test_values_that_are_not_finite_end_the_descent():
    class Broken(Generator):
        def __call__(self, latents):
            return super().__call__(latents) + np.nan

    with pytest.raises(Failure, match="step 0 of 5"):
        projection.project(Broken(), np.zeros([8, 8, 1], np.uint8), steps=5, num_snapshots=2)


def test_pyramid_loss_by_hand():
    images = np.zeros([2, 8, 8, 1], np.float32)
    images[0, ::2, :, 0] = 1  # stripes that are grey when pooled
    target = np.full([1, 8, 8, 1], 0.5, np.float32)
    np.testing.assert_allclose(projection.pyramid_loss(images, target), [(0.25 + 0) / 2, 0.25], rtol=1e-6)
    np.testing.assert_allclose(projection.pyramid_loss(images[:, :7], target[:, :7]), [0.25, 0.25], rtol=1e-6)


def test_other_images_and_numbers_are_refused():
    def of(shape=(8, 8, 1), **options):
        return refusal(projection.project, Generator(), np.zeros(shape, np.uint8), **options)

    assert "8x9x1" in of((8, 9, 1)) and "m/1 are 8x8x1" in of((8, 9, 1))
    assert "8x8x3" in of((8, 8, 3))
    assert "steps 0" in of(steps=0)
    assert "starts 0" in of(starts=0)
    assert "snapshots 1" in of(num_snapshots=1)
    assert "4 steps have at most 5" in of(steps=4, num_snapshots=6)
    for rate in (0.0, -1.0, np.nan, np.inf):
        assert "learning rate" in of(learning_rate=rate)
    for image in (np.zeros([8, 8, 1]), np.zeros([8, 8], np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            projection.project(Generator(), image)


# The perceptual loss.

def test_the_perceptual_loss_finds_the_solution_too():
    generator, latent = Generator(channels=3), on_sphere()
    found = projection.project(generator, generator.image(latent), steps=120, starts=2, loss="perceptual")
    by_pixels = projection.project(generator, generator.image(latent), steps=120, starts=2)
    np.testing.assert_allclose(found.latent, latent, atol=0.05)
    assert found.losses[0] > 2 * by_pixels.losses[0], "it adds to the loss of pixels"


def test_grey_generators_have_no_perceptual_loss():
    line = refusal(projection.project, Generator(), np.zeros((8, 8, 1), np.uint8), loss="perceptual")
    assert "these images are grey" in line
