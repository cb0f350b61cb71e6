"""CUT: its contrastive loss in closed form, which features it compares, and that the input gets no gradient by them."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.gans import losses
from tf2gan.gans.cut import CUT, Config


def make(**changes):
    tf.keras.utils.set_random_seed(0)
    values = {"image_size": "32", "generator_filters": 2, "discriminator_filters": 2, "batch_size": 2, "num_blocks": 1,
              "vector_size": 4, "num_patches": 10, "projected_weight": 0.0, **changes}
    return CUT(Config(**values), 100)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


BATCH = {"x": noise(2, 32, 32, 3, seed=1), "y": noise(2, 32, 32, 3, seed=2)}


def test_contrasts():
    """By the definition, place by place; equal vectors give log(places), right ones far apart 0."""
    vectors, positives = noise(2, 5, 4), noise(2, 5, 4, seed=1)
    expected = []
    for ours, theirs in zip(vectors.astype(np.float64), positives.astype(np.float64)):
        likely = np.exp(ours @ theirs.T / 0.3)
        expected.append(np.mean([-np.log(likely[i, i] / likely[i].sum()) for i in range(5)]))
    np.testing.assert_allclose(losses.contrasts(vectors, positives, 0.3), expected, rtol=1e-5)
    ones = np.ones([1, 5, 4], np.float32)
    np.testing.assert_allclose(losses.contrasts(ones, ones, 0.07), [np.log(5)], rtol=1e-5)
    apart = np.eye(4, dtype=np.float32)[None]
    assert float(losses.contrasts(apart, apart, 0.07)[0]) < 1e-5


class Encoder:
    """Stands in for the generator: its output is minus the input, and its only map of features the image itself."""

    def __init__(self):
        self.seen = []

    def with_features(self, images):
        self.seen.append(("with", images))
        return -images, [images]

    def features(self, images):
        self.seen.append(("of", images))
        return [images]


def stand_ins(gan):
    """Features that are the vectors: those of the output are minus those of the input, at all places."""
    gan.generator = Encoder()
    gan.discriminator = lambda images, training: images[..., :1]
    gan.vectors = lambda maps, places: [tf.math.l2_normalize(tf.gather(tf.reshape(each, [2, -1, 3]), where, axis=1), -1)
                                        for each, where in zip(maps, places)]


def test_the_generators_loss_in_closed_form():
    gan = make(identity=False, adversarial_weight=3.0, nce_weight=2.0, num_patches=2000, temperature=1.0)
    stand_ins(gan)
    x = BATCH["x"]
    loss, (logs, fake) = gan.generator_loss(x, BATCH["y"])
    np.testing.assert_array_equal(fake, -x)
    unit = x.reshape([2, -1, 3]) / np.linalg.norm(x.reshape([2, -1, 3]), axis=-1, keepdims=True)
    nce = np.mean(losses.contrasts(-unit, unit, 1.0))  # of all 1 024 places: their order changes nothing
    adversarial = np.mean((-x[..., 0] - 1) ** 2)
    assert {name: float(value) for name, value in logs.items()} == pytest.approx(
        {"adversarial": adversarial, "nce": nce}, rel=1e-4)
    assert float(loss) == pytest.approx(3 * adversarial + 2 * nce, rel=1e-4)


def test_places_are_different_pixels_of_all_the_map_and_change_with_the_clock():
    gan = make()
    first = gan._places(64, "places").numpy()
    assert len(set(first)) == 10 and first.min() >= 0 and first.max() < 64
    np.testing.assert_array_equal(gan._places(64, "places"), first)
    assert sorted(gan._places(6, "places").numpy()) == list(range(6))
    gan.images_seen.assign(2)
    assert set(gan._places(64, "places").numpy()) != set(first)


@pytest.mark.parametrize("identity, passes", [(True, 4), (False, 2)])
def test_one_pass_gives_images_and_features(identity, passes):
    gan = make(identity=identity)
    encoder = Encoder()
    gan.generator, gan.vectors = encoder, lambda maps, places: [
        tf.gather(tf.reshape(each, [passes, -1, 3]), where, axis=1) for each, where in zip(maps, places)]
    gan.discriminator = lambda images, training: images[..., :1]
    gan.generator_loss(BATCH["x"], BATCH["y"])
    assert [kind for kind, _ in encoder.seen] == ["with", "of"]
    given = np.concatenate([BATCH["x"], BATCH["y"]]) if identity else BATCH["x"]
    np.testing.assert_array_equal(encoder.seen[0][1], given)
    np.testing.assert_array_equal(encoder.seen[1][1], -given)


def test_flipped_features_are_flipped_back():
    """With features that turn with the image, the loss of a flipped pass is that of one that is not."""
    found = {}
    for flip in (True, False):
        gan = make(identity=False, flip_equivariance=True, num_patches=2000)
        stand_ins(gan)
        gan._flip = lambda flip=flip: tf.constant(flip)
        _, (logs, fake) = gan.generator_loss(BATCH["x"], BATCH["y"])
        found[flip] = float(logs["nce"])
        np.testing.assert_array_equal(fake, -(BATCH["x"][:, :, ::-1] if flip else BATCH["x"]))
    assert found[True] == pytest.approx(found[False], rel=1e-5)


def test_half_of_the_steps_are_flipped():
    gan, flips = make(flip_equivariance=True), []
    for clock in range(200):
        gan.images_seen.assign(2 * clock)
        flips.append(bool(gan._flip()))
    assert 70 < sum(flips) < 130
    assert make()._flip() is None


def test_each_update_moves_its_own_networks_only():
    gan, inner, moved = make(optimizer="sgd", projected_weight=1.0), CUT.minimize, []
    names = list(gan.networks)
    assert names == ["generator", "discriminator", "patches", "projected"]

    def trained():
        return {name: [v.numpy().copy() for v in network.trainable_variables]
                for name, (network, _) in gan.networks.items()}

    def minimize(*args):
        before = trained()
        result = inner(gan, *args)
        moved.append({name for name, after in trained().items()
                      if any((a != b).any() for a, b in zip(before[name], after))})
        return result

    gan.minimize = minimize
    gan.train_step(BATCH)
    assert moved == [{"generator", "patches"}, {"discriminator", "projected"}]


@pytest.mark.parametrize("generator", ["resunet", "resnet"])
def test_features_are_those_of_the_pass_that_makes_the_image(generator):
    gan = make(generator=generator, num_blocks=6)
    made, found = gan.generator.with_features(BATCH["x"])
    np.testing.assert_array_equal(made, gan.generator(BATCH["x"]))
    alone = gan.generator.features(BATCH["x"])
    assert len(found) == len(alone) == 5
    for one, other in zip(found, alone):
        np.testing.assert_allclose(one, other, atol=1e-6)
    sizes = [each.shape[1] for each in found]
    assert sizes == ([32, 16, 8, 8, 8] if generator == "resnet" else [32, 16, 8, 4, 4])


@pytest.mark.parametrize("changes, words", [
    ({"temperature": 0.0}, "--temperature 0.0: must be above 0"), ({"num_patches": 1}, "--num-patches 1"),
    ({"adversarial_weight": 0.0, "projected_weight": 0.0}, "both 0: nothing would translate")])
def test_bad_values(changes, words):
    with pytest.raises(UserError, match=words):
        Config(**changes).check()


def test_presets_of_the_paper():
    paper, fast = CUT.presets["paper"], CUT.presets["fastcut"]
    for preset in (paper, fast):
        assert (preset.generator, preset.discriminator, preset.projected_weight) == ("resnet", "patchgan-70", 0.0)
        assert (preset.temperature, preset.num_patches, preset.vector_size) == (0.07, 256, 256)
    assert (paper.nce_weight, paper.identity, paper.flip_equivariance) == (1.0, True, False)
    assert (fast.nce_weight, fast.identity, fast.flip_equivariance) == (10.0, False, True)
