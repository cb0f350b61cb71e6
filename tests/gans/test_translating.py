"""What holds for all methods that translate: one or two replicas, checkpoints, precision, and what they show."""
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.gans import GANS
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan, compile_steps
from tf2gan.training.options import Options

SIZE = {"pix2pix": 64}
SMALL = {"generator_filters": 2, "discriminator_filters": 2, "batch_size": 2}
# {name: (method, options)}. With vectors of fewer numbers, rectifiers may leave nothing of one, of which normalization
# would make rounding visible; so would the even parts that the other augmentations leave.
METHODS = {
    "cyclegan": ("cyclegan", {"num_blocks": 1, "augment": "diffaugment", "augmentations": "color"}),
    "augmented-cyclegan": ("augmented-cyclegan", {"num_blocks": 1, "encoder_filters": 2, "projected_weight": 0.0}),
    "pix2pix": ("pix2pix", {}),
    "pix2pix-projected": ("pix2pix", {"generator": "resunet", "num_blocks": 1, "projected_weight": 1.0,
                                       "augment": "diffaugment"}),
    "cut": ("cut", {"augment": "diffaugment", "num_blocks": 1, "vector_size": 32, "num_patches": 20}),
    "fastcut": ("cut", {"num_blocks": 1, "vector_size": 32, "num_patches": 20, "projected_weight": 0.0,
                        "generator": "resnet", "discriminator": "patchgan-70", "identity": False,
                        "flip_equivariance": True, "direction": "b2a"}),
}
EVERY = pytest.mark.parametrize("name", [name for name in METHODS if name != "pix2pix-projected"])  # cut has both parts


def make(name, replicas=1, precision="float32", **changes):
    """(gan, its strategy) of a few weights."""
    method, options = METHODS[name]
    config = dataclasses.replace(GANS[method].Config(), image_size=str(SIZE.get(method, 32)), **{
        **SMALL, **options, **changes})
    strategy = make_strategy(Options(replicas=replicas, precision=precision))
    return build_gan(GANS[method], config, 100, strategy), strategy


def batches(gan, num):
    """{"x", "y"}: noise for so many steps, in one array each."""
    draw = np.random.default_rng(0)
    shape = [num * gan.config.batch_size, *gan.config.image_shape, 3]
    return {name: draw.uniform(-1, 1, shape).astype(np.float32) for name in "xy"}


def run(gan, strategy, values):
    """Trains on all of `values`; returns the logs."""
    dataset = tf.data.Dataset.from_tensor_slices(values).batch(gan.config.batch_size, drop_remainder=True)
    iterator = iter(strategy.experimental_distribute_dataset(dataset))
    steps = compile_steps(gan, strategy, gan.phase())
    logs = steps(iterator, tf.constant(len(values["x"]) // gan.config.batch_size))
    return {name: float(value) for name, value in logs.items()}


def weights_of(gan):
    return {name: np.concatenate([weight.numpy().ravel() for weight in network.variables])
            for name, (network, _) in gan.networks.items()}


class Seen:
    """A discriminator that keeps what it is shown."""

    def __init__(self, network):
        self.network, self.images = network, []

    def __call__(self, images, training=False):
        self.images.append(images.numpy())
        return self.network(images, training=training)


@pytest.fixture(autouse=True)
def _float32_again():
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize("name", METHODS)
def test_replicas_make_the_same_update(name, tmp_path):
    """SGD, since Adam hides wrong factors. No dropout: each replica throws its own dice."""
    results, logs, start = {}, {}, None
    for replicas in (1, 2):
        gan, strategy = make(name, replicas, optimizer="sgd", learning_rate=3e-4, learning_rate_decay=False,
                             **({"dropout": 0.0} if name == "pix2pix" else {}))
        if start is None:
            start = tf.train.Checkpoint(gan=gan).write(str(tmp_path / "start"))
        tf.train.Checkpoint(gan=gan).read(start)
        before = weights_of(gan)
        logs[replicas] = run(gan, strategy, batches(gan, 2))
        results[replicas] = weights_of(gan)
    for network, weights in results[1].items():
        assert np.abs(weights - before[network]).max() > 1e-5, "else agreement would mean nothing"
        np.testing.assert_allclose(results[2][network], weights, rtol=0, atol=2e-6, err_msg=network)
    assert logs[2] == pytest.approx(logs[1], rel=1e-3, abs=1e-4)


@EVERY
def test_a_checkpoint_holds_all_that_the_next_step_depends_on(name, tmp_path):
    gan, strategy = make(name)
    values = batches(gan, 2)
    first, second = ({key: part[i:i + 2] for key, part in values.items()} for i in (0, 2))
    run(gan, strategy, first)
    path = tf.train.Checkpoint(gan=gan).write(str(tmp_path / "state"))
    expected_logs, expected = run(gan, strategy, second), weights_of(gan)
    other, strategy = make(name, seed=5)
    object.__setattr__(other.config, "seed", 0)  # another start, the same dice
    tf.train.Checkpoint(gan=other).read(path).assert_consumed()
    assert run(other, strategy, second) == pytest.approx(expected_logs, rel=1e-4, abs=1e-5)
    for network, weights in weights_of(other).items():
        np.testing.assert_allclose(weights, expected[network], atol=1e-5, err_msg=network)


@EVERY
def test_a_step_in_bfloat16_is_near_that_of_float32(name, tmp_path):
    logs = {}
    for precision in ("float32", "bfloat16"):
        gan, strategy = make(name, precision=precision)
        path = str(tmp_path / "start")
        if precision == "float32":
            path = tf.train.Checkpoint(gan=gan).write(path)
        tf.train.Checkpoint(gan=gan).read(path)
        logs[precision] = run(gan, strategy, batches(gan, 1))
    for key, value in logs["float32"].items():
        if "accuracy" not in key:
            assert logs["bfloat16"][key] == pytest.approx(value, abs=0.06 * max(1, abs(value))), key


ADA = {"augment": "ada", "augmentations": "color,translation,cutout", "ada_images": 20}


def judging(gan, by):
    """The GAN, with logits of real images that ADA takes to be larger by so much."""
    note = gan.note_signs
    gan.note_signs = lambda logs, logits, boundary: note(logs, logits + by, boundary)
    gan.augmentation.p.assign(0.5)
    return gan


@pytest.mark.parametrize("name, by, expected", [
    ("cyclegan", 9.0, 0.9), ("augmented-cyclegan", -9.0, 0.1), ("pix2pix", -9.0, 0.1), ("cut", 9.0, 0.9)])
def test_the_signs_of_real_images_move_adas_probability(name, by, expected):
    """By 0.4 in 4 steps of 2 of 20 images."""
    gan, strategy = make(name, **ADA)
    logs = run(judging(gan, by), strategy, batches(gan, 4))
    assert logs["augment_p"] == 0.5 and logs["real_sign"] == np.sign(by)
    assert float(gan.augmentation.p.numpy()) == pytest.approx(expected)


def test_replicas_adapt_alike_also_from_a_checkpoint(tmp_path):
    """What two steps have seen is in the checkpoint; with two more of them the probability moves."""
    found, values = {}, None
    for replicas in (1, 2):
        gan, strategy = make("pix2pix", replicas, **ADA, dropout=0.0)
        if values is None:
            values = batches(gan, 4)
            run(judging(gan, 9.0), strategy, {key: part[:4] for key, part in values.items()})
            assert float(gan.augmentation.p.numpy()) == 0.5
            path = tf.train.Checkpoint(gan=gan).write(str(tmp_path / "state"))
        tf.train.Checkpoint(gan=judging(gan, 9.0)).read(path).assert_consumed()
        logs = run(gan, strategy, {key: part[4:] for key, part in values.items()})
        assert float(gan.augmentation.p.numpy()) == pytest.approx(0.9)
        found[replicas] = logs["real_sign"], logs["discriminator_loss"]
    assert found[2] == pytest.approx(found[1], rel=1e-3)


@pytest.mark.parametrize("name, purposes", [
    ("cyclegan", "generator_x generator_y real_x fake_x real_y fake_y"), ("cut", "generator real fake"),
    ("pix2pix-projected", "generator generator real fake real fake")])
def test_all_that_is_judged_is_augmented(name, purposes):
    """Each call of a discriminator, for generators too, is on images that `augmentation` made."""
    gan, _ = make(name, num_blocks=1)
    calls = []

    def black(images, purpose):
        calls.append(purpose)
        return 0.0 * images

    gan.augmentation = black
    values = {key: tf.constant(part) for key, part in batches(gan, 1).items()}
    names = [each for each in ("discriminator", "discriminator_x", "discriminator_y") if hasattr(gan, each)]
    seen = [Seen(getattr(gan, each)) for each in names]
    for each, network in zip(names, seen):
        setattr(gan, each, network)
    gan.train_step(values)
    assert calls == [f"augment_{purpose}" for purpose in purposes.split()]
    assert len(seen) == (2 if name == "cyclegan" else 1)
    for network in seen:
        assert network.images and not any(images.any() for images in network.images)


def test_halves_of_a_pair_are_changed_alike():
    gan, _ = make("pix2pix-projected")
    images = tf.constant(batches(gan, 1)["x"])
    changed = gan.shown(images, "real")
    np.testing.assert_array_equal(changed, gan.shown(images, "real"))
    assert np.abs(changed - gan.shown(images, "fake")).max() > 0.1 < np.abs(changed - images).max()


@EVERY
def test_samples_are_rows_of_images_with_titles(name):
    gan, _ = make(name)
    values = batches(gan, 1)
    found, titles = gan.sample(values), gan.sample_titles()
    assert list(found) == list(titles) == list(gan.abilities.directions)
    for direction, rows in found.items():
        columns = titles[direction]["column_titles"]
        assert rows.shape == [2, len(columns), *gan.config.image_shape, 3]
        source = {"a2b": "x", "b2a": "y"}[direction]
        np.testing.assert_array_equal(rows[:, 0], values[source])
        np.testing.assert_allclose(rows[:, 1], gan.generate(values[source], direction), atol=1e-6)


@EVERY
def test_the_average_translates_and_not_the_generator(name):
    gan, _ = make(name)
    direction = gan.abilities.directions[0]
    network = gan.translating_network(direction)
    assert network not in [network for network, _ in gan.networks.values()]
    without, _ = make(name, ema_decay=None)
    assert without.translating_network(direction) in [network for network, _ in without.networks.values()]
    assert network.size_multiple >= 4 and network.size_minimum >= 16


@pytest.mark.parametrize("method", ["pix2pix", "cut"])
def test_the_config_names_the_direction(method):
    assert GANS[method].abilities.directions == ("a2b", "b2a")
    for direction in ("a2b", "b2a"):
        gan, _ = make(method, direction=direction)
        assert gan.abilities.directions == GANS[method].abilities_for(gan.config).directions == (direction,)
        batch = {"x": 1, "y": 2}
        assert gan.ends(batch) == ((1, 2) if direction == "a2b" else (2, 1))
        with pytest.raises(ValueError, match="translates " + direction):
            gan.translating_network("b2a" if direction == "a2b" else "a2b")


@pytest.mark.parametrize("method", ["cyclegan", "augmented-cyclegan", "cut", "pix2pix"])
@pytest.mark.parametrize("changes, words", [
    ({"image_size": "40"}, "--image-size 40: height and width must be"),
    ({"image_size": "64x20"}, "--image-size 64x20: "),
    ({"learning_rate": -1.0}, "--learning-rate -1.0"),
    ({"load_scale": 0.5}, "--load-scale 0.5"),
    ({"generator_filters": 0}, "--generator-filters 0"),
    ({"augment": "diffaugment", "augmentations": "color,rotation"}, "'rotation' is none; did you mean 'translation'? possible: one or more of color,"),
    ({"augmentations": "color"}, "--augmentations color: is for --augment diffaugment"),
    ({"ada_target": 0.5}, "--ada-target 0.5: is for --augment ada"),
    ({"augment": "ada", "ada_images": 0}, "--ada-images 0: must be at least 1"),
    ({"adversarial_weight": float("nan")}, "--adversarial-weight nan")])
def test_bad_values(method, changes, words):
    with pytest.raises(UserError) as caught:
        dataclasses.replace(GANS[method].Config(), **changes).check()
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["cyclegan", "augmented-cyclegan", "cut", "pix2pix"])
def test_presets_are_possible(method):
    for preset in GANS[method].presets.values():
        preset.check()
    assert next(iter(GANS[method].presets.values())) == GANS[method].Config()
