"""Losses at points where the value is known without a computer."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.gans import losses


@pytest.mark.parametrize("values, target, expected", [
    ([1.0, 2.0, 3.0], 1.0, (0 + 1 + 4) / 3),
    ([[1.0, -1.0], [3.0, 0.0]], [[0.0, 1.0], [3.0, 2.0]], (1 + 4 + 0 + 4) / 4),
])
def test_mean_squared_error(values, target, expected):
    assert float(losses.mean_squared_error(tf.constant(values), target)) == pytest.approx(expected)


@pytest.mark.parametrize("values, target, expected", [
    ([1.0, 2.0, -3.0], 1.0, (0 + 1 + 4) / 3),
    ([[1.0, -1.0], [3.0, 0.0]], [[0.0, 1.0], [3.0, 2.0]], (1 + 2 + 0 + 2) / 4),
])
def test_mean_absolute_error(values, target, expected):
    assert float(losses.mean_absolute_error(tf.constant(values), tf.constant(target))) == pytest.approx(expected)


@pytest.mark.parametrize("real, fake, expected", [
    ([1.0, 1.0], [0.0, 0.0], 0.0),  # what the discriminator aims at
    ([0.0, 0.0], [1.0, 1.0], 1.0),  # all wrong
    ([0.0, 0.0], [0.0, 0.0], 0.5),
    ([3.0, 1.0], [-1.0, 2.0], (4 + 0) / 4 + (1 + 4) / 4),
])
def test_least_squares_discriminator(real, fake, expected):
    assert float(losses.least_squares_discriminator(tf.constant(real), tf.constant(fake))) == pytest.approx(expected)


@pytest.mark.parametrize("fake, expected", [([1.0, 1.0], 0.0), ([0.0, 0.0], 1.0), ([3.0, 0.0], (4 + 1) / 2)])
def test_least_squares_generator(fake, expected):
    assert float(losses.least_squares_generator(tf.constant(fake))) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [[5], [2, 3, 4, 1]])
def test_scalars_of_any_shape(shape):
    """A constant input gives the same whatever its shape: the losses are means, not sums."""
    values = tf.fill(shape, 3.0)
    results = [losses.mean_squared_error(values, 1.0), losses.mean_absolute_error(values, 1.0),
               losses.least_squares_discriminator(values, values), losses.least_squares_generator(values)]
    assert all(result.shape == [] for result in results)
    np.testing.assert_allclose(results, [4, 2, (4 + 9) / 2, 4])


def test_float32_from_half_precision():
    """1 + 1/512 is 1 in bfloat16, so that the mean shows in which precision the sums were made."""
    values = tf.cast(tf.concat([tf.zeros([511]), tf.ones([513])], axis=0), tf.bfloat16)
    for result in (losses.mean_squared_error(values, 0.0), losses.mean_absolute_error(values, tf.zeros_like(values)),
                   losses.least_squares_generator(1 - values),
                   losses.least_squares_discriminator(1 - values, values)):
        assert result.dtype == tf.float32
        assert float(result) == 513 / 1024


def test_gradients_pull_the_right_way():
    real, fake = tf.Variable([0.5]), tf.Variable([0.5])
    with tf.GradientTape(persistent=True) as tape:
        discriminator = losses.least_squares_discriminator(real, fake)
        generator = losses.least_squares_generator(fake)
    assert tape.gradient(discriminator, [real, fake]) == [-0.5, 0.5]
    assert tape.gradient(generator, fake) == -1.0


# The adversarial losses: the same behaviours of each, with its own numbers.

def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def naive_cross_entropy(logits, labels):
    return -np.mean(labels * np.log(sigmoid(logits)) + (1 - labels) * np.log(1 - sigmoid(logits)))


def naive_discriminator(real, fake, real_labels=1.0, fake_labels=0.0):
    return naive_cross_entropy(real, real_labels) + naive_cross_entropy(fake, fake_labels)


def squares(real, fake, real_labels=1.0, fake_labels=0.0):
    return np.mean((real - real_labels) ** 2) / 2 + np.mean((fake - fake_labels) ** 2) / 2


def naive_relativistic(real, fake):
    return -np.mean(np.log(sigmoid(real - fake)))


# In float64, as the papers have them: {name: (discriminator, generator)}.
FORMULAS = {
    "minimax": (naive_discriminator, lambda fake: np.mean(np.log(1 - sigmoid(fake)))),
    "non-saturating": (naive_discriminator, lambda fake: -np.mean(np.log(sigmoid(fake)))),
    "least-squares": (squares, lambda fake: np.mean((fake - 1) ** 2)),
    "wasserstein": (lambda real, fake: np.mean(fake) - np.mean(real), lambda fake: -np.mean(fake)),
    "hinge": (lambda real, fake: np.mean(np.maximum(0, 1 - real)) + np.mean(np.maximum(0, 1 + fake)),
              lambda fake: -np.mean(fake)),
    "relativistic": (naive_relativistic, lambda real, fake: naive_relativistic(fake, real)),
}
COMPARED = ["relativistic"]  # whose generator's loss is of real logits, too
LABELLED = ["minimax", "non-saturating", "least-squares"]
REAL, FAKE = (np.random.default_rng(seed).normal(mean, 2, [6, 1]) for seed, mean in ((1, 1.0), (2, -0.5)))


def tensor(values):
    return tf.constant(values, tf.float32)


def gradients(function, *values):
    """d function / d values, each a number."""
    values = [tf.Variable([[float(value)]]) for value in values]
    with tf.GradientTape() as tape:
        loss = function(*values)
    return [float(gradient[0, 0]) for gradient in tape.gradient(loss, values)]


def given_to_generator(name, real, fake):
    return (real, fake) if name in COMPARED else (fake,)


def test_every_loss_has_a_formula_here():
    assert set(FORMULAS) == set(losses.ADVERSARIAL)
    assert [name for name, pair in losses.ADVERSARIAL.items() if pair.takes_labels] == LABELLED
    assert [name for name, pair in losses.ADVERSARIAL.items() if pair.compares] == COMPARED


@pytest.mark.parametrize("name", FORMULAS)
def test_adversarial_losses(name):
    """Real and generated logits differ, so that a swap would show."""
    discriminator, generator = FORMULAS[name]
    pair = losses.ADVERSARIAL[name]
    assert float(pair.discriminator(tensor(REAL), tensor(FAKE))) == pytest.approx(discriminator(REAL, FAKE), rel=1e-5)
    given = given_to_generator(name, REAL, FAKE)
    assert float(pair.generator(*map(tensor, given))) == pytest.approx(generator(*given), rel=1e-5)
    assert discriminator(REAL, FAKE) != pytest.approx(discriminator(FAKE, REAL), rel=0.1)


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("labels", [
    (0.9, 0.0), (0.9, 0.1), (0.0, 1.0),
    (np.linspace(0.8, 1, 6)[:, None], np.linspace(0, 0.3, 6)[:, None]),
], ids=["one-sided", "two-sided", "flipped", "one an image"])
def test_labels(name, labels):
    expected = FORMULAS[name][0](REAL, FAKE, *labels)
    in_float32 = [np.float32(label) for label in labels]
    result = losses.ADVERSARIAL[name].discriminator(tensor(REAL), tensor(FAKE), *in_float32)
    assert float(result) == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(FORMULAS[name][0](REAL, FAKE), rel=0.01)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("real, fake", [(1e4, -1e4), (-1e4, 1e4), (1e4, 1e4), (-1e4, -1e4), (0, 0)])
def test_finite_at_extreme_logits(name, real, fake):
    pair = losses.ADVERSARIAL[name]
    assert np.isfinite(pair.discriminator(tensor([[real]]), tensor([[fake]])))
    given = given_to_generator(name, real, fake)
    assert np.isfinite(pair.generator(*(tensor([each]) for each in given)))
    assert np.isfinite(gradients(pair.discriminator, real, fake) + gradients(pair.generator, *given)).all()


@pytest.mark.parametrize("name", LABELLED[:2])
def test_cross_entropy_at_extreme_logits(name):
    """log of a sigmoid is the logit itself there; the naive formula's is infinite or 0."""
    discriminator = losses.ADVERSARIAL[name].discriminator
    assert float(discriminator(tensor([[-1e4]]), tensor([[1e4]]))) == 2e4
    assert float(discriminator(tensor([[1e4]]), tensor([[-1e4]]))) == 0
    assert float(discriminator(tensor([[1e4]]), tensor([[-1e4]]), 0.9, 0.1)) == pytest.approx(0.2 * 1e4)
    assert gradients(discriminator, -1e4, 1e4) == [-1, 1]


# {name: what moves the loss at logits of 0.2 (real) and 0.3 (generated): d D / d real, d D / d fake, d G / d fake}.
SLOPES = {
    "minimax": (sigmoid(0.2) - 1, sigmoid(0.3), -sigmoid(0.3)),
    "non-saturating": (sigmoid(0.2) - 1, sigmoid(0.3), sigmoid(0.3) - 1),
    "least-squares": (0.2 - 1, 0.3, 2 * (0.3 - 1)),
    "wasserstein": (-1, 1, -1),
    "hinge": (-1, 1, -1),
    "relativistic": (-sigmoid(0.1), sigmoid(0.1), -sigmoid(-0.1)),
}


@pytest.mark.parametrize("name", SLOPES)
def test_gradients_of_adversarial_losses(name):
    """The discriminator raises real logits and lowers generated ones; the generator raises its own."""
    pair = losses.ADVERSARIAL[name]
    *of_real, of_fake = gradients(pair.generator, *given_to_generator(name, 0.2, 0.3))
    found = (*gradients(pair.discriminator, 0.2, 0.3), of_fake)
    assert found == pytest.approx(SLOPES[name], rel=1e-5)
    assert of_real == [pytest.approx(-of_fake)] * (name in COMPARED)
    assert found[0] < 0 < found[1] and found[2] < 0


@pytest.mark.parametrize("name, where_lost", [
    ("minimax", 0), ("non-saturating", -1), ("least-squares", -42), ("wasserstein", -1), ("hinge", -1),
    ("relativistic", -1)])
def test_only_the_minimax_generator_saturates(name, where_lost):
    *_, of_fake = gradients(losses.ADVERSARIAL[name].generator, *given_to_generator(name, 0, -20))
    assert of_fake == pytest.approx(where_lost, abs=1e-7)


def test_hinges_let_go_beyond_the_margin():
    assert gradients(losses.hinge_discriminator, 1.5, -1.5) == [0, 0]
    assert gradients(losses.hinge_discriminator, 0.5, -1.5) == [-1, 0]
    assert gradients(losses.hinge_discriminator, 1.5, -0.5) == [0, 1]


@pytest.mark.parametrize("name", [name for name, pair in losses.ADVERSARIAL.items() if pair.boundary is not None])
def test_boundary_is_the_best_answer_where_both_kinds_are_alike(name):
    """There real and generated images pull a logit equally hard, and beyond it the larger pull is back to it."""
    pair = losses.ADVERSARIAL[name]

    def pull(logit):
        return sum(gradients(pair.discriminator, logit, logit))

    assert pull(pair.boundary) == pytest.approx(0, abs=1e-7)
    assert pull(pair.boundary - 1.1) < 0 < pull(pair.boundary + 1.1)


@pytest.mark.parametrize("name", FORMULAS)
def test_adversarial_losses_are_means_in_float32(name):
    """Copies of the logits change nothing; 1 + 1/512 is 1 in bfloat16, which would show in which precision sums are."""
    pair = losses.ADVERSARIAL[name]
    once, often = ((tf.tile(tensor(REAL), [n, 3]), tf.tile(tensor(FAKE), [n, 3])) for n in (1, 50))
    assert float(pair.discriminator(*often)) == pytest.approx(float(pair.discriminator(*once)), rel=1e-5)
    of_often, of_once = (float(pair.generator(*given_to_generator(name, *logits))) for logits in (often, once))
    assert of_often == pytest.approx(of_once, rel=1e-5)
    values = np.repeat([0.0, 1.0], [511, 513])
    half = tf.constant(values, tf.bfloat16)
    for result, expected in ((pair.discriminator(half, -half), FORMULAS[name][0](values, -values)),
                             (pair.generator(*given_to_generator(name, -half, half)),
                              FORMULAS[name][1](*given_to_generator(name, -values, values)))):
        assert result.dtype == tf.float32 and result.shape == []
        assert float(result) == pytest.approx(expected, rel=1e-6)


# Class logits, and what else is read of them.

TEN = np.random.default_rng(3).normal(0, 3, [6, 10])
ELEVEN = np.concatenate([TEN, np.random.default_rng(4).normal(0, 3, [6, 1])], axis=1)
CLASSES = np.array([0, 9, 3, 3, 5, 1])


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def gradient_of(function, logits):
    """(value, d value / d logits) as numpy arrays; the value is summed."""
    logits = tensor(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = function(logits)
    return value.numpy(), tf.convert_to_tensor(tape.gradient(value, logits)).numpy()


def test_real_logits_are_those_of_the_papers_discriminator():
    """D = 1 - 1 / (1 + sum exp l) = Z / (Z + 1), in float64."""
    found = losses.real_logits(tensor(TEN), 10)
    assert found.shape == [6, 1] and found.dtype == tf.float32
    total = np.exp(TEN).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(sigmoid(found.numpy()), 1 - 1 / (1 + total), rtol=1e-5)
    np.testing.assert_allclose(sigmoid(-found.numpy()), 1 / (1 + total), rtol=1e-5)  # where D is nearly 1
    assert losses.real_logits(tf.cast(TEN, tf.bfloat16), 10).dtype == tf.float32


@pytest.mark.parametrize("value", [1e4, -1e4])
@pytest.mark.parametrize("fake", [None, 1e4, -1e4])
def test_real_logits_at_extreme_logits(value, fake):
    """log(10 exp(l)) = l + log 10, where the naive formula overflows or is log(0)."""
    logits = np.full([1, 10], value) if fake is None else np.array([[value] * 10 + [fake]])
    found, gradient = gradient_of(lambda logits: losses.real_logits(logits, 10), logits)
    assert found.item() == np.float32(value + np.log(10)) - (fake or 0)  # as exact as float32 is at that size
    np.testing.assert_allclose(gradient, [[0.1] * 10 + [-1.0] * (fake is not None)], rtol=1e-5)


@pytest.mark.parametrize("value, of_real, of_fake, slopes", [
    (1e4, 0, 1e4 + np.log(10), (0, 0.1)), (-1e4, 1e4 - np.log(10), 0, (-0.1, 0)),
    (0, np.log(1.1), np.log(11), (-0.1 / 11, 0.1 * 10 / 11))])
def test_cross_entropies_of_extreme_class_logits(value, of_real, of_fake, slopes):
    """-log D and -log(1 - D) with gradients -(1 - D) softmax and D softmax."""
    for label, expected, slope in ((1.0, of_real, slopes[0]), (0.0, of_fake, slopes[1])):
        found, gradient = gradient_of(lambda logits: losses.cross_entropy(losses.real_logits(logits, 10), label),
                                      np.full([1, 10], value))
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)
        np.testing.assert_allclose(gradient, np.full([1, 10], slope), rtol=1e-4, atol=1e-12)


def test_the_largest_class_logit_has_all_of_the_gradient():
    logits = np.full([1, 10], -1e4)
    logits[0, 7] = 1e4
    found, gradient = gradient_of(lambda logits: losses.real_logits(logits, 10), logits)
    assert found.item() == 1e4
    np.testing.assert_array_equal(gradient[0], np.eye(10)[7])


def test_eleven_logits_and_ten_are_one_function():
    """The ten are the eleven less that of "fake": p(fake) = 1 - D, and classes are as likely among the others."""
    ten = ELEVEN[:, :10] - ELEVEN[:, 10:]

    def both(logits):
        real = losses.real_logits(logits, 10)
        return (losses.non_saturating_generator(real) + 2 * losses.cross_entropy(real, 0.1)
                + losses.class_cross_entropy(losses.class_logits(logits, 10), CLASSES))

    (first, of_eleven), (second, of_ten) = gradient_of(both, ELEVEN), gradient_of(both, ten)
    assert first == pytest.approx(second, rel=1e-6)
    np.testing.assert_allclose(of_eleven[:, :10], of_ten, atol=1e-6)
    np.testing.assert_allclose(of_eleven[:, 10], -of_ten.sum(axis=1), atol=1e-6)
    assert np.abs(of_eleven[:, 10]).min() > 1e-4
    real = losses.real_logits(tensor(ELEVEN), 10)
    np.testing.assert_allclose(sigmoid(-real.numpy()[:, 0]), softmax(ELEVEN)[:, 10], rtol=1e-5)
    of_classes = softmax(ELEVEN)[:, :10] / softmax(ELEVEN)[:, :10].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tf.nn.softmax(losses.class_logits(tensor(ELEVEN), 10)), of_classes, rtol=1e-5)


def test_class_cross_entropy():
    loss, gradient = gradient_of(lambda logits: losses.class_cross_entropy(logits, CLASSES), TEN)
    assert loss == pytest.approx(-np.log(softmax(TEN)[np.arange(6), CLASSES]).mean(), rel=1e-6)
    np.testing.assert_allclose(gradient, (softmax(TEN) - np.eye(10)[CLASSES]) / 6, atol=1e-6)
    for logits, expected in ((np.zeros([2, 10]), np.log(10)), (1e4 * np.eye(10)[[3, 8]], 0),
                             (-1e4 * np.eye(10)[[3, 8]], 1e4 + np.log(9))):
        assert float(losses.class_cross_entropy(tensor(logits), [3, 8])) == pytest.approx(expected, rel=1e-6)
    assert losses.class_cross_entropy(tf.cast(TEN, tf.bfloat16), CLASSES).dtype == tf.float32


def test_class_cross_entropy_leaves_the_fake_logit_out():
    def masked(logits):
        return losses.class_cross_entropy(losses.class_logits(logits, 10), CLASSES)

    plain, of_ten = gradient_of(masked, TEN)
    for fake in (-1e4, 0, 1e4):
        loss, gradient = gradient_of(masked, np.concatenate([TEN, np.full([6, 1], fake)], axis=1))
        assert loss == plain and not gradient[:, 10].any()
        np.testing.assert_array_equal(gradient[:, :10], of_ten)


# What keeps a critic near 0.

def test_drift():
    """The mean square, with the gradient 2 l / n, whatever the shape."""
    loss, gradient = gradient_of(losses.drift, REAL)
    assert loss == pytest.approx(np.mean(REAL ** 2), rel=1e-6)
    np.testing.assert_allclose(gradient, 2 * REAL / 6, rtol=1e-5)
    for logits, expected in (([3.0], 9), ([1.0, -2.0, 3.0], 14 / 3), ([[0.0], [0.0]], 0), ([[-1e4], [1e4]], 1e8)):
        assert float(losses.drift(tensor(logits))) == pytest.approx(expected)


def test_drift_is_float32():
    logits = tf.cast(tf.concat([tf.zeros([511]), tf.ones([513])], axis=0), tf.bfloat16)
    assert losses.drift(logits).dtype == tf.float32 and float(losses.drift(logits)) == 513 / 1024
