"""What the discriminator sees: DiffAugment and ADA against numpy, their gradient, and how ADA's probability moves."""
import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from noise_gans import NO_DROPOUT, SGD, Recorder, batch_of, batches, check_same, images_of, make, state, steps

from tf2gan.gans import augmentation
from tf2gan.gans.augmentation import DiffAugment, adaptable, resampled
from tf2gan.gans.configs.base import AUGMENTATIONS
from tf2gan.training.loop import compile_steps


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def draw(distribution, shape, purpose):
    """As GAN.draw: each purpose has its numbers, and an example's do not depend on how many there are."""
    seed = sum(map(ord, purpose))
    rows = [np.random.default_rng([seed, i]) for i in range(shape[0])]
    found = [row.normal(size=shape[1:]) if distribution == "normal" else row.uniform(size=shape[1:]) for row in rows]
    return tf.constant(np.array(found), tf.float32)


def dice(*rows):
    """A stand-in for `draw` that returns these numbers."""
    return lambda distribution, shape, purpose: tf.ensure_shape(tf.constant(rows, tf.float32), shape)


# DiffAugment.

def test_color():
    """Brightness, then saturation around each pixel's grey, then contrast around the mean of the image."""
    images = noise(2, 4, 5, 3)
    found = augmentation.color(images, dice([0.9, 0.1, 0.25], [0.2, 1.0, 0.0]), "")
    for image, result, (brightness, saturation, contrast) in zip(
            images.astype(np.float64), found, [(0.4, 0.2, 0.75), (-0.3, 2.0, 0.5)]):
        image = image + brightness
        grey = image.mean(axis=2, keepdims=True)
        image = grey + saturation * (image - grey)
        np.testing.assert_allclose(result, image.mean() + contrast * (image - image.mean()), atol=1e-6)


def test_color_of_grey_images_has_no_saturation():
    images = noise(1, 4, 4, 1)
    found = [augmentation.color(images, dice([0.5, saturation, 0.5]), "") for saturation in (0.0, 1.0)]
    for each in found:
        np.testing.assert_allclose(each, images, atol=1e-6)


@pytest.mark.parametrize("number, rows, columns", [(0.0, 2, 1), (0.5, 0, 0), (0.999, -2, -1)])
def test_translation(number, rows, columns):
    """By up to an eighth of height 16 and of width 8; zeros come in, nothing goes round."""
    images = 2.0 + noise(1, 16, 8, 3)
    found = augmentation.translation(images, dice([number, number]), "").numpy()
    expected = np.zeros_like(images)
    expected[:, max(rows, 0):16 + min(rows, 0), max(columns, 0):8 + min(columns, 0)] = (
        images[:, max(-rows, 0):16 - max(rows, 0), max(-columns, 0):8 - max(columns, 0)])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("number, rows, columns", [
    (0.0, (0, 2), (0, 3)), (0.5, (2, 6), (3, 8)), (0.999, (6, 8), (8, 10))])
def test_cutout(number, rows, columns):
    """A rectangle of 4x5 pixels of 8x10, part of which may lie outside."""
    images = 2.0 + noise(1, 8, 10, 3)
    found = augmentation.cutout(images, dice([number, number]), "").numpy()
    expected = images.copy()
    expected[:, rows[0]:rows[1], columns[0]:columns[1]] = 0
    np.testing.assert_array_equal(found, expected)


def test_kinds_come_in_one_order_and_have_their_own_dice():
    assert tuple(augmentation.KINDS) == AUGMENTATIONS
    recorded = Recorder(draw)
    changed = DiffAugment(["cutout", "color"], recorded)(noise(2, 8, 8, 3), "real")
    assert [purpose for _, _, purpose in recorded.calls] == ["real_color", "real_cutout"]
    expected = augmentation.cutout(augmentation.color(noise(2, 8, 8, 3), draw, "real_color"), draw, "real_cutout")
    np.testing.assert_array_equal(changed, expected)
    np.testing.assert_array_equal(DiffAugment([], draw)(noise(2, 8, 8, 3), "real"), noise(2, 8, 8, 3))


# Both.

CHANGES = {"diffaugment": DiffAugment(AUGMENTATIONS, draw), "ada": lambda images, purpose: adaptable(
    images, tf.constant(0.8), draw, purpose)}
EACH = pytest.mark.parametrize("name", CHANGES)


@EACH
@pytest.mark.parametrize("channels", [1, 3])
def test_gradient(name, channels):
    """With given dice all changes are affine, A x + b: the gradient of w (A x + b) times d is w A d."""
    change, x, d = CHANGES[name], tf.constant(noise(3, 12, 16, channels)), noise(3, 12, 16, channels, seed=1)
    weights = noise(3, 12, 16, channels, seed=2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(weights * change(x, "fake"))
    along = float(tf.reduce_sum(tape.gradient(value, x) * d))
    expected = float(tf.reduce_sum(weights * (change(x + d, "fake") - change(x, "fake"))))
    assert along == pytest.approx(expected, rel=1e-3) and abs(along) > 0.01


@EACH
def test_each_image_is_changed_by_itself(name):
    """So the label that belongs to an image still does; other images, of other dice, do not enter."""
    images = noise(4, 8, 8, 3)
    changed = CHANGES[name](images, "real").numpy()
    others = np.concatenate([images[:1], noise(3, 8, 8, 3, seed=9)])
    again = CHANGES[name](others, "real").numpy()
    np.testing.assert_allclose(again[0], changed[0], atol=1e-6)
    assert changed.shape == images.shape and min(np.abs(again[1:] - changed[1:]).max(axis=(1, 2, 3))) > 0.01
    for purpose in ("fake", "generator"):
        assert np.abs(CHANGES[name](images[:1], purpose) - changed[0]).max() > 0.01


# ADA.

@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_changes_with_probability_0(channels):
    images = noise(5, 9, 16, channels)
    np.testing.assert_array_equal(adaptable(images, tf.constant(0.0), draw, "real"), images)


def test_a_part_of_the_images_changes():
    """Of 13 changes, each made with probability 0.05, some of which may be made and change nothing."""
    images = noise(400, 8, 8, 3)
    same = (adaptable(images, tf.constant(0.05), draw, "real").numpy() == images).all(axis=(1, 2, 3)).mean()
    assert 0.95 ** 14 - 0.08 < same < 0.95 ** 9 + 0.08


def moving(x, y):
    return [[1, 0, x], [0, 1, y], [0, 0, 1]]


@pytest.mark.parametrize("places, expected", [
    (moving(0, 0), lambda image: image),
    (moving(1, 0), lambda image: np.pad(image, [(0, 0), (0, 1), (0, 0)], "reflect")[:, 1:]),
    (moving(0, -2), lambda image: np.pad(image, [(2, 0), (0, 0), (0, 0)], "reflect")[:-2]),
    (moving(0.25, 0), lambda image: 0.75 * image + 0.25 * np.pad(image, [(0, 0), (0, 1), (0, 0)], "reflect")[:, 1:]),
    ([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], lambda image: image[:, ::-1]),
    ([[0, -1, 0], [1, 0, 0], [0, 0, 1]], lambda image: np.rot90(image))])
def test_resampled(places, expected):
    images = noise(2, 6, 6, 3)
    found = resampled(images, tf.constant([places, np.eye(3)], tf.float32))
    np.testing.assert_allclose(found[0], expected(images[0]), atol=1e-6)
    np.testing.assert_array_equal(found[1], images[1])


def test_what_colours_keep():
    """Hue turns round the grey axis; saturation scales the distance from it; grey pixels stay grey in all changes."""
    grey = np.repeat(noise(200, 2, 2, 1), 3, axis=-1)
    found = augmentation._colors(augmentation._Dice(draw, 200, tf.constant(1.0), ""), 3).numpy()
    changed = np.einsum("nhwc,ndc->nhwd", grey, found[:, :3, :3]) + found[:, None, None, :3, 3]
    np.testing.assert_allclose(changed - changed.mean(axis=-1, keepdims=True), 0, atol=1e-4)
    linear = found[:, :3, :3].astype(np.float64)
    along, across = np.abs(linear @ np.ones(3) / 3).sum(axis=1), np.linalg.norm(linear @ [1, -1, 0], axis=1)
    contrast, saturation = np.log2(along), np.log2(across / 2 ** 0.5 / along)
    for values, deviation in ((contrast, 0.5), (saturation, 1.0)):
        assert abs(values.mean()) < 5 * deviation / 200 ** 0.5 and values.std() == pytest.approx(deviation, rel=0.2)


def adapted(signs, target=0.6, images_to_one=100, num_images=5):
    ada, seen = augmentation.Adaptive(draw, target, images_to_one), []
    for sign in signs:
        ada.observe(tf.constant(10.0 * sign), 10)
        ada.adapt(num_images)
        seen.append(float(ada.p))
    return seen


def test_the_probability_follows_the_signs():
    """By 4 steps of 5 images of 100 = 0.2 at every fourth step, by their mean; it stays between 0 and 1."""
    up, down = [1.0, 0.9, 0.8, 0.0], [0.5, 0.6, 0.7, 0.5]  # means 0.675 and 0.575
    assert adapted(up) == pytest.approx([0, 0, 0, 0.2])
    assert adapted([*up, *down])[3::4] == pytest.approx([0.2, 0])
    assert adapted([*down, *up])[3::4] == pytest.approx([0, 0.2])
    assert adapted(up * 7)[3::4] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1])


@pytest.mark.parametrize("loss, sign, expected", [
    ("non-saturating", 1, 0.16), ("non-saturating", -1, 0), ("least-squares", 1, 0.16), ("hinge", 1, 0.16)])
def test_the_discriminators_signs_move_it(loss, sign, expected):
    gan, run = make("dcgan", augment="ada", ada_images=100, batch_size=8, loss=loss, half_batches=True)
    gan.judge = lambda images, **kwargs: sign * 3.0 + 0.0 * gan.discriminator(images, **kwargs)
    for _ in range(4):
        logs = run(gan.train_step, batch_of(gan))
        gan.end_step(4)
    assert float(gan.augmentation.p.numpy()) == pytest.approx(expected)
    assert float(logs["augment_p"]) == 0 and float(logs["real_sign"]) == sign


@pytest.mark.parametrize("n_critic", [1, 2])
def test_replicas_see_and_adapt_the_same(n_critic):
    results = {}
    for replicas in (1, 2):
        gan, _ = make("dcgan", "dcgan", replicas, **{**NO_DROPOUT, **SGD, "generator_learning_rate": 0.01,
                      "discriminator_learning_rate": 0.01, "augment": "ada", "ada_images": 100, "n_critic": n_critic,
                      "ada_target": -1.0})
        gan.augmentation.p.assign(0.5)
        logs = steps(gan, 5)
        results[replicas] = state(gan), logs
        assert float(gan.augmentation.p.numpy()) > 0.5
    check_same(results)


def test_all_that_the_discriminator_sees_is_changed():
    gan, run = make("dcgan", augment="diffaugment", penalty="r1", loss="relativistic")
    gan.augmentation = Recorder(lambda images, purpose: 0.0 * images)
    seen, judge = [], gan.judge
    gan.judge = lambda images, **kwargs: seen.append(images) or judge(images, **kwargs)
    run(gan.train_step, batch_of(gan))
    purposes = [purpose for _, purpose in gan.augmentation.calls]
    assert purposes == ["augment_real0", "augment_fake0", "augment_penalty0", "augment_generator",
                        "augment_generator_real"]
    assert len(seen) == 5 and all(not np.any(each) for each in seen if not tf.is_symbolic_tensor(each))


# Penalties now and then.

@pytest.mark.parametrize("name, changes", [
    ("gan", {}), ("dcgan", {}), ("dcgan", {"discriminator_normalization": "spectral", "n_critic": 2}), ("sgan", {}),
    ("progan", {"penalty": "wgan-gp"}), ("dcgan", {"augment": "ada", "penalty": "r1-r2"})])
def test_a_penalty_now_and_then_weighs_more(name, changes):
    """In compiled steps, whose synchronized normalizations must not be in a condition within a replica."""
    gan, _ = make(name, **{"penalty": "r1", "penalty_every": 3, **changes, **SGD, "generator_learning_rate": 0.0,
                           "discriminator_learning_rate": 0.0})
    strategy = gan.images_seen.distribute_strategy
    compiled, iterator = compile_steps(gan, strategy, gan.phase()), batches(gan, 7)
    found = [compiled(iterator, tf.constant(1))["penalty"] for _ in range(7)]
    assert [value > 0 for value in found] == [True, False, False, True, False, False, True]
    gan.images_seen.assign(0)
    gan.config = dataclasses.replace(gan.config, penalty_every=1)
    once = compile_steps(gan, strategy, gan.phase())(batches(gan, 1), tf.constant(1))["penalty"]
    if name in ("gan", "dcgan") and not changes:  # nothing but weights decides, and those stay
        assert found[0] == pytest.approx(3 * once, rel=0.05)


def test_a_penalty_is_of_the_slope_at_the_image_not_at_the_changed_one():
    """Of a linear critic whose images are halved before it sees them, half the slope, and 1/2 |slope|^2 of R1."""
    gan, run = make("dcgan", augment="diffaugment", penalty="r1")
    gan.augmentation = lambda images, purpose: 0.5 * images
    gan.discriminator = lambda images, training, seed: tf.reduce_sum(images, axis=[1, 2, 3])[:, None]
    _, logs = run(gan.discriminator_loss, images_of(gan), images_of(gan, seed=1))
    assert float(logs["penalty"]) == pytest.approx(0.5 * 64 * 0.5 ** 2)


def test_ties_are_ties_on_any_number_of_replicas():
    """4 steps of 4 images, 8 of 10 right: a mean of 0.6 to the last bit, however the images are shared out."""
    for replicas in (1, 2, 5):
        ada = augmentation.Adaptive(draw, 0.6, 100)
        ada.p.assign(0.5)
        for _ in range(4):
            for part in np.split(np.array([1.0] * 8 + [-1.0] * 2, np.float32), replicas):
                ada.observe(tf.constant(part.sum()), part.size)
            ada.adapt(10)
        assert float(ada.p) == 0.5
