"""CycleGAN: the losses in closed form, who updates what, and that nothing is computed twice or in vain."""
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.gans import projected
from tf2gan.gans.cyclegan import Config, CycleGAN
from tf2gan.gans.schedules import LinearDecay

TERMS = ["adversarial_xy", "adversarial_yx", "cycle_x", "cycle_y", "identity_x", "identity_y"]
NETWORKS = ["generator_xy", "generator_yx", "discriminator_x", "discriminator_y"]


def noise(num=2, size=32, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [num, size, size, 3]).astype(np.float32)


BATCH = {"x": noise(seed=1), "y": noise(seed=2)}


@pytest.fixture
def make(tiny_config):
    """Function that builds a tiny CycleGAN with the same initial weights whenever it is called."""
    def build(total_images=None, **changes):
        tf.keras.utils.set_random_seed(0)
        return CycleGAN(tiny_config(**changes), total_images)

    return build


def weights_of(gan):
    return {name: [w.copy() for w in getattr(gan, name).get_weights()] for name in NETWORKS}


def changed(before, after):
    return {name for name in before if any((a != b).any() for a, b in zip(before[name], after[name]))}


def use_stand_ins(gan):
    """Known functions in place of networks: G(x) = x / 2, F(y) = y + 1/4, D_X(x) = 2 x, D_Y(y) = y - 1."""
    gan.generator_xy = lambda images, training, seed: images / 2
    gan.generator_yx = lambda images, training, seed: images + 0.25
    gan.discriminator_x = lambda images, training: 2 * images
    gan.discriminator_y = lambda images, training: images - 1


def constant(value):
    return tf.fill([2, 32, 32, 3], value)


# Losses.

def test_generators_loss_in_closed_form(make):
    gan = make(adversarial_weight=3.0, cycle_weight=10.0, identity_weight=7.0)
    use_stand_ins(gan)
    loss, (logs, fake_x, fake_y) = gan.generators_loss(constant(0.6), constant(-0.2))
    # G(x) = 0.3, F(y) = 0.05; F(G(x)) = 0.55, G(F(y)) = 0.025; F(x) = 0.85, G(y) = -0.1
    expected = {"adversarial_xy": (0.3 - 1 - 1) ** 2, "adversarial_yx": (2 * 0.05 - 1) ** 2,
                "cycle_x": 0.6 - 0.55, "cycle_y": 0.025 + 0.2, "identity_x": 0.85 - 0.6, "identity_y": -0.1 + 0.2}
    assert {name: float(value) for name, value in logs.items()} == pytest.approx(expected, rel=1e-5)
    total = (3 * (expected["adversarial_xy"] + expected["adversarial_yx"])
             + 10 * (expected["cycle_x"] + expected["cycle_y"]) + 7 * (expected["identity_x"] + expected["identity_y"]))
    assert float(loss) == pytest.approx(total, rel=1e-5)
    np.testing.assert_allclose(fake_x, constant(0.05), rtol=1e-6)
    np.testing.assert_allclose(fake_y, constant(0.3), rtol=1e-6)


def test_discriminators_loss_in_closed_form(make):
    gan = make()
    use_stand_ins(gan)
    fake_y = tf.concat([constant(1.0)[:1], constant(2.0)[:1]], axis=0)
    loss, logs = gan.discriminators_loss(constant(0.6), constant(0.2), constant(0.5), fake_y)
    # D_X: real 1.2, fake 0.4; D_Y: real -0.5, fakes 0 and 1
    assert float(loss) == pytest.approx((0.2 ** 2 + 0.4 ** 2) / 2 + (1.5 ** 2 + 0.5) / 2, rel=1e-5)
    assert {name: float(value) for name, value in logs.items()} == {
        "real_accuracy_x": 1, "fake_accuracy_x": 1, "real_accuracy_y": 0, "fake_accuracy_y": 0.5}


@pytest.mark.parametrize("generator", ["unet", "resnet"])
def test_logs_of_a_step_from_the_networks_outputs(make, generator):
    gan = make(optimizer="sgd", generator=generator, num_blocks=None if generator == "unet" else 1, learning_rate=0.0)
    x, y = BATCH["x"], BATCH["y"]
    fake_y, fake_x = gan.generator_xy(x).numpy(), gan.generator_yx(y).numpy()
    logits = {"real_x": gan.discriminator_x(x), "fake_x": gan.discriminator_x(fake_x),
              "real_y": gan.discriminator_y(y), "fake_y": gan.discriminator_y(fake_y)}
    logits = {name: value.numpy() for name, value in logits.items()}
    expected = {
        "adversarial_xy": np.mean((logits["fake_y"] - 1) ** 2), "adversarial_yx": np.mean((logits["fake_x"] - 1) ** 2),
        "cycle_x": np.mean(abs(gan.generator_yx(fake_y) - x)), "cycle_y": np.mean(abs(gan.generator_xy(fake_x) - y)),
        "identity_x": np.mean(abs(gan.generator_yx(x) - x)), "identity_y": np.mean(abs(gan.generator_xy(y) - y)),
        "discriminator_loss": sum(np.mean((logits[f"real_{d}"] - 1) ** 2) / 2 + np.mean(logits[f"fake_{d}"] ** 2) / 2
                                  for d in "xy")}
    config = gan.config
    expected["generator_loss"] = sum(
        weight * (expected[f"{term}_{first}"] + expected[f"{term}_{second}"]) for term, weight, first, second in (
            ("adversarial", config.adversarial_weight, "xy", "yx"), ("cycle", config.cycle_weight, "x", "y"),
            ("identity", config.identity_weight, "x", "y")))
    logs = gan.train_step(BATCH)
    assert {name: float(logs[name]) for name in expected} == pytest.approx(expected, rel=1e-4)


# Updates.

def test_each_minimize_moves_its_own_variables_only(make):
    gan, inner, moved = make(), CycleGAN.minimize, []

    def minimize(*args):
        before = weights_of(gan)
        result = inner(gan, *args)
        moved.append(changed(before, weights_of(gan)))
        return result

    gan.minimize = minimize
    averages = [gan.average_xy.get_weights(), gan.average_yx.get_weights()]
    gan.train_step(BATCH)
    assert moved == [{"generator_xy", "generator_yx"}, {"discriminator_x", "discriminator_y"}]
    for before, average in zip(averages, (gan.average_xy, gan.average_yx)):
        assert all((a == b).all() for a, b in zip(before, average.get_weights()))


def test_minimize_descends_the_gradient(make):
    """One SGD step on the sum of squares of some variables, with the value known: w - rate * 2 w."""
    gan = make(optimizer="sgd", learning_rate=0.1)
    variables = gan.generator_variables
    before = [v.numpy() for v in variables]
    loss, kept = gan.minimize(lambda: (tf.add_n([tf.reduce_sum(v * v) for v in variables]), "kept"),
                              gan.generator_optimizer, variables)
    assert float(loss) == pytest.approx(sum((v ** 2).sum() for v in before), rel=1e-5) and kept == "kept"
    for old, variable in zip(before, variables):
        np.testing.assert_allclose(variable, 0.8 * old, rtol=1e-5)


def test_discriminators_are_shown_what_the_pools_return_for_this_steps_fakes(make):
    gan = make(optimizer="sgd")
    expected = {"pool_x": gan.generator_yx(BATCH["y"]), "pool_y": gan.generator_xy(BATCH["x"])}
    asked, shown = {}, []
    for name, value in (("pool_x", 0.1), ("pool_y", 0.2)):
        def query(images, seed, name=name, value=value):
            asked[name] = images
            return tf.fill(images.shape, value)

        getattr(gan, name).query = query
    inner = gan.discriminators_loss
    gan.discriminators_loss = lambda *args: shown.append(args) or inner(*args)
    gan.train_step(BATCH)
    for name, images in expected.items():
        np.testing.assert_allclose(asked[name], images, atol=1e-5)
    real_x, fake_x, real_y, fake_y = shown[0]
    assert real_x is BATCH["x"] and real_y is BATCH["y"]
    assert np.all(fake_x == np.float32(0.1)) and np.all(fake_y == np.float32(0.2))


def test_pools_hold_the_fakes(make):
    gan = make(optimizer="sgd")
    fake_x = gan.generator_yx(BATCH["y"])
    gan.train_step(BATCH)
    np.testing.assert_allclose(gan.pool_x.images_of_replicas[0][:2], fake_x, atol=1e-5)
    assert int(gan.pool_y.count_of_replicas[0]) == 2


def test_a_checkpoint_holds_the_pools(make, tmp_path):
    gan, other = make(optimizer="sgd"), make(optimizer="sgd")
    gan.train_step(BATCH)
    path = tf.train.Checkpoint(gan=gan).write(str(tmp_path / "checkpoint"))
    tf.train.Checkpoint(gan=other).read(path).assert_consumed()
    for pool, restored in ((gan.pool_x, other.pool_x), (gan.pool_y, other.pool_y)):
        assert np.any(pool.images_of_replicas[0].numpy())
        np.testing.assert_array_equal(restored.images_of_replicas[0], pool.images_of_replicas[0])
        assert int(restored.count_of_replicas[0]) == int(pool.count_of_replicas[0]) == 2


def test_dice_differ_by_purpose_and_clock(make):
    gan = make()
    first, other = gan.seed_for("pool_x").numpy(), gan.seed_for("pool_y").numpy()
    gan.images_seen.assign(2)
    keys = {tuple(seed) for seed in (first, other, gan.seed_for("pool_x").numpy())}
    assert len(keys) == 3
    gan.images_seen.assign(0)
    np.testing.assert_array_equal(gan.seed_for("pool_x"), first)


def test_dropout_is_used_in_training_and_thrown_again_alike(make):
    gan = make(dropout=0.5, optimizer="sgd", learning_rate=0.0, pool_size=0)
    first, again = gan.train_step(BATCH), gan.train_step(BATCH)
    gan.images_seen.assign(2)
    other = gan.train_step(BATCH)
    for name in TERMS:
        assert float(first[name]) == float(again[name]) != float(other[name])
    np.testing.assert_array_equal(gan.generate(BATCH["x"]), gan.generate(BATCH["x"]))


# Cost.

def images_through_convolutions(gan):
    """Sum over all forward convolutions in the graph of one step of the images that go through: what a step costs.

    The networks' transposed convolutions, if any, and gradients are operations of other types.
    """
    graph = tf.function(gan.train_step).get_concrete_function(gan.batch_spec(2)).graph
    outputs = [operation.outputs[0] for operation in graph.get_operations() if operation.type == "Conv2D"]
    return sum(output.shape[0] for output in outputs)


@pytest.mark.parametrize("zero, generator_passes, discriminator_passes", [
    (None, 3, 3),  # there, back and identity; generated, and then real and generated
    ("identity_weight", 2, 3),
    ("cycle_weight", 2, 3),
    ("adversarial_weight", 3, 2),
])
def test_a_step_computes_nothing_twice_and_nothing_in_vain(make, zero, generator_passes, discriminator_passes):
    gan = make(optimizer="sgd", **({zero: 0.0} if zero else {}))
    if zero:  # the gradients of the first case suffice, and take long to trace
        gan.minimize = lambda loss_fn, optimizer, variables: loss_fn()
    convolutions_of_unet, convolutions_of_patchgan, batch = 8, 5, 2
    assert images_through_convolutions(gan) == 2 * batch * (
        generator_passes * convolutions_of_unet + discriminator_passes * convolutions_of_patchgan)


@pytest.mark.parametrize("zero", ["identity", "cycle", "adversarial"])
def test_a_term_of_weight_0_is_not_logged_and_changes_no_other(make, zero):
    everything, less = make().train_step(BATCH), make(**{f"{zero}_weight": 0.0}).train_step(BATCH)
    others = [name for name in TERMS if not name.startswith(zero)]
    assert [name for name in less if name in TERMS] == others and len(others) == 4
    for name in others:
        assert float(less[name]) == pytest.approx(float(everything[name]), rel=1e-4)
    weights = {"adversarial": 1.0, "cycle": 10.0, "identity": 9.0}
    total = sum(weights[name.split("_")[0]] * float(less[name]) for name in others)
    assert float(less["generator_loss"]) == pytest.approx(total, rel=1e-4)


# Averages.

def shift(network, amount):
    for variable in network.variables:
        variable.assign(variable + amount)


@pytest.mark.parametrize("ema_decay", [0.999, 0.3])
def test_averages_follow_their_formula(make, ema_decay):
    gan = make(ema_decay=ema_decay)
    pairs = [(gan.average_xy, gan.generator_xy), (gan.average_yx, gan.generator_yx)]
    expected = [average.get_weights() for average, _ in pairs]
    for weights, (_, network) in zip(expected, pairs):
        assert all((a == b).all() for a, b in zip(weights, network.get_weights())), "they start equal"
    for step, decay in enumerate([2 / 11, 3 / 12, 4 / 13, 5 / 14], start=1):
        decay = min(ema_decay, decay)
        for i, (average, network) in enumerate(pairs):
            shift(network, 0.5 + i)
            expected[i] = [decay * a + (1 - decay) * w for a, w in zip(expected[i], network.get_weights())]
        gan.end_step(2)
        assert int(gan.images_seen) == 2 * step
        for weights, (average, _) in zip(expected, pairs):
            for a, b in zip(weights, average.get_weights()):
                np.testing.assert_allclose(a, b, atol=1e-5)


def test_decay_reaches_its_limit(make):
    gan = make(ema_decay=0.999)
    gan.images_seen.assign(2 * 10 ** 6)
    average, network = gan.average_xy.get_weights()[0], gan.generator_xy
    shift(network, 1.0)
    gan.end_step(2)
    np.testing.assert_allclose(gan.average_xy.get_weights()[0], average + 0.001, atol=1e-5)


def test_generate_uses_the_averages(make):
    gan = make()
    before = {direction: gan.generate(BATCH["x"], direction).numpy() for direction in ("a2b", "b2a")}
    np.testing.assert_array_equal(before["a2b"], gan.average_xy(BATCH["x"]))
    np.testing.assert_array_equal(before["b2a"], gan.average_yx(BATCH["x"]))
    assert (before["a2b"] != before["b2a"]).any()
    for network in (gan.generator_xy, gan.generator_yx):
        shift(network, 1.0)
    for direction, images in before.items():
        np.testing.assert_array_equal(gan.generate(BATCH["x"], direction), images)


def test_without_averages_generate_uses_the_trained_networks(make):
    gan = make(ema_decay=None)
    shift(gan.generator_xy, 0.1)
    np.testing.assert_array_equal(gan.generate(BATCH["x"]), gan.generator_xy(BATCH["x"]))
    gan.end_step(2)
    assert int(gan.images_seen) == 2


def test_samples_are_input_translated_reconstructed_identity(make):
    gan = make()
    gan.average_xy, gan.average_yx = (lambda x, training: x / 2), (lambda y, training: y + 0.25)
    samples = gan.sample({"x": constant(0.6), "y": constant(-0.2)})
    for direction, columns in (("a2b", [0.6, 0.3, 0.55, 0.85]), ("b2a", [-0.2, 0.05, 0.025, -0.1])):
        assert samples[direction].shape == [2, 4, 32, 32, 3]
        np.testing.assert_allclose(samples[direction][1, :, 5, 5, 0], columns, rtol=1e-5)
        assert len(gan.sample_titles()[direction]["column_titles"]) == 4


# The learning rate.

@pytest.mark.parametrize("part, expected", [
    (0, 1), (1 / 4, 1), (1 / 2, 1), (5 / 8, 3 / 4), (3 / 4, 1 / 2), (1, 0), (2, 0)])
def test_linear_decay(part, expected):
    seen = tf.Variable(int(part * 4000), dtype=tf.int64)
    rate = LinearDecay(2e-4, seen, 4000)(step=123456)  # the optimizer's own count does not matter
    assert float(rate) == pytest.approx(2e-4 * expected)


def test_the_optimizers_follow_the_schedule(make):
    """Under a gradient of 1 every SGD step moves by the learning rate; the graph is traced once, before any image."""
    gan = make(total_images=80, optimizer="sgd", learning_rate=0.5, learning_rate_decay=True)

    def check(optimizer, variables):
        @tf.function
        def step():
            optimizer.apply_gradients([(tf.ones_like(v), v) for v in variables])

        for seen, expected in ((0, 0.5), (40, 0.5), (60, 0.25), (80, 0.0)):
            gan.images_seen.assign(seen)
            before = variables[0].numpy()
            step()
            np.testing.assert_allclose(before - variables[0].numpy(), np.full_like(before, expected), atol=1e-6)

    check(gan.generator_optimizer, gan.generator_variables)
    check(gan.discriminator_optimizer, gan.discriminator_variables)


def test_without_decay_the_rate_is_constant(make):
    gan = make(total_images=80, learning_rate=0.5)
    gan.images_seen.assign(80)
    assert float(tf.convert_to_tensor(gan.generator_optimizer.learning_rate)) == 0.5


# Bad values.

@pytest.mark.parametrize("name, value, limit", [
    ("image_size", "big", "HEIGHTxWIDTH"),
    ("image_size", "64x", "HEIGHTxWIDTH"),
    ("image_size", "40", "multiples of 16"),
    ("image_size", "64x72", "multiples of 16"),
    ("image_size", "16", "at least 32"),
    ("image_size", "0", "at least 32"),
    ("seed", -1, "from 0 to 4294967295"),
    ("seed", 2 ** 32, "from 0 to 4294967295"),
    ("batch_size", 0, "at least 1"),
    ("ema_decay", 1.5, "from 0 to 1"),
    ("ema_decay", -0.1, "from 0 to 1"),
    ("dropout", 1.0, "from 0 to 0.99"),
    ("cycle_weight", -1.0, "at least 0"),
    ("identity_weight", -1.0, "at least 0"),
    ("adversarial_weight", float("nan"), "at least 0"),
    ("learning_rate", -1e-4, "at least 0"),
    ("beta_1", 1.0, "from 0 to 0.9999"),
    ("load_scale", 0.9, "at least 1"),
    ("pool_size", -1, "at least 0"),
    ("discriminator_filters", 0, "at least 1"),
    ("generator_filters", 0, "at least 1"),
    ("num_blocks", 0, "at least 1"),
])
def test_bad_values(name, value, limit):
    with pytest.raises(UserError) as caught:
        dataclasses.replace(Config(), **{name: value}).check()
    message = str(caught.value)
    assert message.startswith(f"--{name.replace('_', '-')} {value}:") and limit in message and "\n" not in message


@pytest.mark.parametrize("name, value", [("learning_rate", float("inf")), ("cycle_weight", float("inf"))])
def test_infinite_values_are_refused(name, value):
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} inf"):
        dataclasses.replace(Config(), **{name: value}).check()


def test_bad_combinations():
    with pytest.raises(UserError, match=r"--pool-size 3: .* at least --batch-size 4"):
        Config(pool_size=3, batch_size=4).check()
    zero = {"cycle_weight": 0.0, "identity_weight": 0.0, "adversarial_weight": 0.0, "projected_weight": 0.0}
    with pytest.raises(UserError, match="--adversarial-weight, --projected-weight are all 0: nothing to train"):
        Config(**zero).check()
    Config(**{**zero, "projected_weight": 0.1}).check()
    with pytest.raises(UserError, match="--dropout 0.5: the generator resunet has none; possible: 0, or --generator "):
        Config(dropout=0.5).check()


@pytest.mark.parametrize("changes", [
    {}, {"image_size": "32x64"}, {"ema_decay": None}, {"pool_size": 0, "batch_size": 9},
    {"pool_size": 4, "batch_size": 4}, {"cycle_weight": 0.0, "identity_weight": 0.0},
    {"generator": "resnet", "num_blocks": 1}, {"load_scale": 1.0}])
def test_good_values(changes):
    Config(**changes).check()


def test_presets():
    for preset in CycleGAN.presets.values():
        preset.check()
    default, book, paper = (CycleGAN.presets[name] for name in ("default", "book", "paper"))
    assert next(iter(CycleGAN.presets)) == "default"
    for preset in (default, book):
        assert (preset.dataset, preset.image_size, preset.batch_size) == ("cycle_gan/apple2orange", "128", 1)
        assert (preset.cycle_weight, preset.learning_rate, preset.beta_1, preset.pool_size) == (10.0, 2e-4, 0.5, 50)
    assert (book.generator, book.discriminator, book.projected_weight) == ("unet", "patchgan", 0.0)
    assert (book.identity_weight, book.learning_rate_decay) == (9.0, False)
    assert (paper.generator, paper.discriminator, paper.projected_weight) == ("resnet", "patchgan-70", 0.0)
    assert (paper.image_size, paper.identity_weight, paper.learning_rate_decay) == ("256", 5.0, True)


# The projected discriminators.

PROJECTED = ["projected_x", "projected_y"]
TINY = {"generator": "resunet", "discriminator": "two-scale", "projected_weight": 3.0, "num_blocks": 1}


class Maps:
    """Stands in for the frozen network: keeps what it is shown, and returns it as two maps, one of half the size."""

    def __init__(self):
        self.shown = []

    def maps(self, images):
        self.shown.append(images)
        return [images, images[:, ::2, ::2]]


def see_through(gan):
    """Known functions in place of the frozen network and of what is projected: D_X(m) = m / 255, D_Y(m) = m / 51."""
    gan.projected.frozen = Maps()
    gan.projected.discriminators = {"projected_x": lambda maps, training: [each / 255 for each in maps],
                                    "projected_y": lambda maps, training: [each / 51 for each in maps]}


def test_projected_losses_in_closed_form(make, monkeypatch):
    """Hinges for the discriminators, minus the mean logit for the generators; images are seen as 0 to 255."""
    monkeypatch.setattr(projected, "translation", lambda images, *dice: images)
    gan = make(projected_weight=3.0)
    use_stand_ins(gan), see_through(gan)
    loss, (logs, _, _) = gan.generators_loss(constant(0.6), constant(-0.2))
    # G(x) = 0.3, F(y) = 0.05 are seen as 0.65 * 255 and 0.525 * 255
    found = [float(logs[name]) for name in ("projected_xy", "projected_yx")]
    assert found == pytest.approx([-5 * 0.65, -0.525])
    gan.config = dataclasses.replace(gan.config, projected_weight=0.0)
    less, _ = gan.generators_loss(constant(0.6), constant(-0.2))
    assert float(loss - less) == pytest.approx(3 * (-5 * 0.65 - 0.525), rel=1e-4)
    _, logs = make().discriminators_loss(*[constant(0.0)] * 4)
    assert not [name for name in logs if name.startswith("projected")]
    gan.config = dataclasses.replace(gan.config, projected_weight=3.0)
    loss, logs = gan.discriminators_loss(constant(0.6), constant(0.2), constant(-0.9), constant(-0.8))
    # D_X: real 0.8, generated 0.6; D_Y: real 0.25, generated 0.5
    assert float(logs["projected_loss_x"]) == pytest.approx(1 - 0.8 + 1 + 0.6, rel=1e-5)
    assert float(logs["projected_loss_y"]) == pytest.approx(1 - 0.25 + 1 + 0.5, rel=1e-5)


def test_the_frozen_network_sees_shifted_images(make):
    """By up to an eighth of the height and of the width, each image by itself; 0 comes into sight, seen as 127.5."""
    gan = make(image_size="64x32", projected_weight=1.0)
    see_through(gan)
    rows = tf.range(1, 65, dtype=tf.float32)[:, None] + tf.zeros([1, 32])  # each pixel tells its row and column
    columns = tf.range(1, 33, dtype=tf.float32)[None] + tf.zeros([64, 1])
    images = tf.stack([tf.stack([rows, columns, rows], axis=-1) / 127.5] * 2)
    seen = set()
    for clock in range(60):
        gan.images_seen.assign(2 * clock)
        gan.projected.logits({name: [images] for name in PROJECTED}, gan.draw, "shift")
        shown = np.rint(gan.projected.frozen.shown[-1] - 127.5).astype(int)
        assert shown.shape == (4, 64, 32, 3)
        for image in shown:
            middle = image[32, 16]
            down, right = middle[0] - 33, middle[1] - 17
            seen.add((down, right))
            expected = np.pad(np.rint(127.5 * images[0]).astype(int), [(8, 8), (4, 4), (0, 0)])
            np.testing.assert_array_equal(image, expected[8 + down:72 + down, 4 + right:36 + right])
    assert {down for down, _ in seen} == set(range(-8, 9)) and {right for _, right in seen} == set(range(-4, 5))


def test_a_step_moves_the_projected_discriminators_but_what_is_fixed_in_them(make):
    gan = make(optimizer="sgd", learning_rate=0.1, **TINY)
    before = {name: copies(gan.projected.discriminators[name]) for name in PROJECTED}
    logs = gan.train_step(BATCH)
    assert all(np.isfinite(value) for value in logs.values())
    for name in PROJECTED:
        # Biases may stay: where no hinge is passed, what real images add generated ones take away.
        still = [tuple(variable.shape) for variable, old in before[name]
                 if (variable.numpy() == old).all() and len(variable.shape) == 4]
        network = gan.projected.discriminators[name]
        fixed = [tuple(layer.kernel.shape) for layer in (*network.mixtures, *network.from_smaller)]
        assert sorted(still) == sorted(fixed) and len(fixed) == 7


def copies(network):
    return [(variable, variable.numpy().copy()) for variable in network.variables]


def test_a_checkpoint_holds_what_is_fixed_at_random(make, tmp_path):
    gan = make(**TINY)
    tf.keras.utils.set_random_seed(1)
    other = CycleGAN(gan.config)
    path = tf.train.Checkpoint(gan=gan).write(str(tmp_path / "checkpoint"))
    fixed, kernel = (each.projected.discriminators["projected_y"].mixtures[3].kernel for each in (gan, other))
    assert (kernel.numpy() != fixed.numpy()).any()
    tf.train.Checkpoint(gan=other).read(path).assert_consumed()
    np.testing.assert_array_equal(kernel, fixed)


@pytest.mark.parametrize("size, num_blocks, expected", [("32", None, 6), ("256", None, 9), ("32", 2, 2)])
def test_number_of_residual_blocks(make, size, num_blocks, expected):
    gan = make(generator="resnet", image_size=size, num_blocks=num_blocks, ema_decay=None)
    assert len(gan.generator_xy.blocks) == len(gan.generator_yx.blocks) == expected
