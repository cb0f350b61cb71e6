"""Augmented CycleGAN: its losses, what each optimizer trains, its styles, and how they are used."""
import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

import tf2gan
from tf2gan.core.errors import UserError
from tf2gan.evaluation import image_sets, translated
from tf2gan.export import exporter
from tf2gan.gans import GANS
from tf2gan.models.translation import Translator, every_function
from tf2gan.networks.styled import StyledNormalization, StyleEncoder
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan
from tf2gan.training.options import Options

METHOD = GANS["augmented-cyclegan"]
SMALL = {"image_size": "32", "generator_filters": 2, "discriminator_filters": 2, "encoder_filters": 2, "num_blocks": 1,
         "projected_weight": 0.0, "batch_size": 2, "style_size": 3}


def make(**changes):
    return build_gan(METHOD, METHOD.Config(**{**SMALL, **changes}), 100, make_strategy(Options()))


@pytest.fixture(scope="module")
def gan():
    """Of weights large enough that styles show."""
    made = make()
    draw = np.random.default_rng(1)
    for network in (made.average_xy, made.average_yx, made.average_encoder_x, made.average_encoder_y):
        for variable in network.variables:
            variable.assign(variable + draw.normal(0, 0.2, variable.shape))
    return made


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def picture(seed=0, size=(37, 45)):
    return np.random.default_rng(seed).integers(0, 256, [*size, 3]).astype(np.uint8)


def l1(first, second):
    return float(np.abs(np.asarray(first) - second).mean())


def fooling(logits):
    return np.mean((np.concatenate([np.ravel(each) for each in tf.nest.flatten(logits)]) - 1) ** 2)


def test_generators_lose_what_the_paper_says():
    """Every term from the networks alone, one way after the other."""
    weights = {"adversarial_weight": 0.7, "style_weight": 1.3, "cycle_weight": 5.0, "style_cycle_weight": 2.0}
    gan = make(**weights, discriminator="patchgan")
    a, b, z_a, z_b = noise(2, 32, 32, 3), noise(2, 32, 32, 3, seed=1), noise(2, 3, seed=2), noise(2, 3, seed=3)
    loss, (logs, fake_a, fake_b, found_a, found_b) = gan.generators_loss(a, z_a, b, z_b)
    expected = 0.0
    for real, style, there, back, own, other, judge, style_judge, fake, found, names in (
            (a, z_b, gan.generator_xy, gan.generator_yx, gan.encoder_x, gan.encoder_y, gan.discriminator_y,
             gan.style_discriminator_x, fake_b, found_a, ("adversarial_xy", "style_x", "cycle_x", "style_cycle_y")),
            (b, z_a, gan.generator_yx, gan.generator_xy, gan.encoder_y, gan.encoder_x, gan.discriminator_x,
             gan.style_discriminator_y, fake_a, found_b, ("adversarial_yx", "style_y", "cycle_y", "style_cycle_x"))):
        made = there(real, style)
        mine = own(real, made)
        np.testing.assert_allclose(fake, made, atol=1e-6)
        np.testing.assert_allclose(found, mine, atol=1e-6)
        terms = (fooling(judge(made)), fooling(style_judge(mine)), l1(back(made, mine), real),
                 l1(other(made, real), style))
        for name, term in zip(names, terms):
            assert float(logs[name]) == pytest.approx(term, rel=1e-4), name
        expected += np.dot([weights[name] for name in ("adversarial_weight", "style_weight", "cycle_weight",
                                                       "style_cycle_weight")], terms)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_styles_that_are_found_are_told_from_those_drawn():
    gan = make()
    drawn, found, logs = noise(2, 3), noise(2, 3, seed=1), {}
    loss = float(gan.style_discriminators_loss(drawn, found, 2 * drawn, 2 * found, logs))
    expected = 0.0
    for judge, scale in ((gan.style_discriminator_x, 1), (gan.style_discriminator_y, 2)):
        expected += np.mean((judge(scale * drawn) - 1) ** 2) / 2 + np.mean(judge(scale * found) ** 2) / 2
    assert loss == pytest.approx(expected, rel=1e-5)


def test_encoders_learn_with_the_generators_and_all_others_judge():
    gan = make(optimizer="sgd", learning_rate=1e-2)
    names = {"generators": ("generator_xy", "generator_yx", "encoder_x", "encoder_y"),
             "judges": ("discriminator_x", "discriminator_y", "style_discriminator_x", "style_discriminator_y")}
    for kind, variables in (("generators", gan.generator_variables), ("judges", gan.discriminator_variables)):
        expected = [variable for name in names[kind] for variable in gan.networks[name][0].trainable_variables]
        assert {id(variable) for variable in variables} == {id(variable) for variable in expected}
        assert len(variables) == len(expected)
    before = {name: [np.copy(v) for v in network.trainable_variables] for name, (network, _) in gan.networks.items()}
    gan.train_step({"x": tf.constant(noise(2, 32, 32, 3)), "y": tf.constant(noise(2, 32, 32, 3, seed=1))})
    for name, (network, _) in gan.networks.items():
        for old, variable in zip(before[name], network.trainable_variables):
            assert np.abs(old - np.asarray(variable)).max() > 0, variable.name


def test_a_style_scales_and_shifts_each_channel():
    layer = StyledNormalization(4)
    images, styles = noise(2, 5, 6, 4), noise(2, 3, seed=1)
    layer(images, styles)
    for variable in layer.trainable_variables:
        variable.assign(noise(*variable.shape, seed=2))
    plain = (images - images.mean((1, 2), keepdims=True)) / np.sqrt(images.var((1, 2), keepdims=True) + 1e-5)
    scale, offset = (styles @ np.asarray(dense.kernel) + np.asarray(dense.bias)
                     for dense in (layer.to_scales, layer.to_offsets))
    np.testing.assert_allclose(layer(images, styles), plain * scale[:, None, None] + offset[:, None, None], atol=1e-5)


def test_it_begins_as_plain_normalization():
    layer = StyledNormalization(4)
    assert np.abs(layer(noise(2, 5, 6, 4), 0 * noise(2, 3)).numpy().std((1, 2)) - 1).max() < 1e-3


def test_an_encoder_sees_the_colour_of_a_whole_picture():
    encoder = StyleEncoder(3, 4)
    outline = np.where(noise(1, 32, 32, 1) > 0.5, 1.0, -1.0) * np.ones(3, np.float32)
    red, blue = (np.ones([1, 32, 32, 3], np.float32) * color for color in ([1, -1, -1], [-1, -1, 1]))
    first, second = encoder(red, outline).numpy(), encoder(blue, outline).numpy()
    assert first.shape == (1, 3) and np.abs(first - second).max() > 0.1 * np.abs(first).max()


def test_styles_are_a_function_of_the_seed(gan):
    styles = gan.styles(2000, 5).numpy()
    np.testing.assert_array_equal(gan.styles(7, 5), styles[:7])
    assert np.abs(styles - gan.styles(2000, 6)).mean() > 0.5
    assert styles.mean() == pytest.approx(0, abs=0.05) and styles.std() == pytest.approx(1, abs=0.03)


def test_each_image_is_translated_in_its_own_style(gan):
    images, styles = noise(2, 32, 32, 3), gan.styles(2, 0)
    made = gan.generate(images, "a2b", styles).numpy()
    for i in range(2):
        np.testing.assert_allclose(gan.generate(images[i:i + 1], "a2b", styles[i:i + 1])[0], made[i], atol=1e-5)
    twice = gan.generate(np.repeat(images[:1], 2, axis=0), "a2b", styles).numpy()
    assert l1(twice[0], twice[1]) > 0.01
    default = gan.generate(images, "a2b").numpy()
    np.testing.assert_allclose(default[1], gan.generate(images[1:], "a2b", styles[:1])[0], atol=1e-5)


@pytest.fixture(scope="module")
def exported(gan, tmp_path_factory):
    return exporter.export(gan, tmp_path_factory.mktemp("models") / "fruit",
                           card={"model": "augmented-cyclegan", "config": dataclasses.asdict(gan.config)})


def test_an_export_translates_in_every_style(gan, exported):
    model, memory = tf2gan.load(exported), tf2gan.api.model.Model.of_gan(gan, "memory")
    assert model.abilities == memory.abilities == METHOD.abilities
    styles = model.styles(3, 1)
    np.testing.assert_array_equal(styles, memory.styles(5, 1)[:3])
    made = model.translate([picture()] * 3, "b2a", styles)
    assert len({each.tobytes() for each in made}) == 3 and made[0].shape == (37, 45, 3)
    for each, other in zip(made, memory.translate([picture()] * 3, "b2a", styles)):
        np.testing.assert_allclose(each.astype(int), other, atol=1)
    np.testing.assert_array_equal(model.translate(picture(), "b2a", styles[1]), made[1])
    np.testing.assert_array_equal(model.translate(picture()), model.translate(picture(), "a2b", model.styles(1, 0)[0]))


def test_the_style_of_a_picture_is_found_with_its_translation_back(gan, exported):
    model = tf2gan.load(exported)
    for direction, back, encoder in (("a2b", "b2a", gan.average_encoder_y), ("b2a", "a2b", gan.average_encoder_x)):
        image = picture(1, (48, 64))
        floats = (image / np.float32(127.5) - 1)[None]
        expected = encoder(floats, gan.generate(floats, back))[0]
        np.testing.assert_allclose(model.style_of(image, direction), expected, atol=1e-4)
    with pytest.raises(UserError, match="direction 'c2d'"):
        model.style_of(image, "c2d")


@pytest.mark.parametrize("styles", [np.zeros(4), np.zeros([2, 3]), np.zeros([1, 1, 3])])
def test_other_styles_are_refused(exported, styles):
    with pytest.raises(UserError, match=r"styles: .*; needed: \[3\], or \[1, 3\]"):
        tf2gan.load(exported).translate(picture(), styles=styles)


def test_a_model_without_styles_says_so():
    plain = GANS["cyclegan"].Config(image_size="32", generator_filters=2, discriminator_filters=2, num_blocks=1,
                                    projected_weight=0.0)
    model = tf2gan.api.model.Model.of_gan(build_gan(GANS["cyclegan"], plain, 100, make_strategy(Options())), "plain")
    for refused in (lambda: model.styles(1), lambda: model.style_of(picture()),
                    lambda: model.translate(picture(), styles=np.zeros(3))):
        with pytest.raises(UserError, match="no styles"):
            refused()


def test_walks_lead_through_the_translations_of_a_picture(exported, tmp_path):
    path, made = tmp_path / "outline.png", tmp_path / "walk.png"
    tf2gan.core.images.write_image(path, picture())
    model = tf2gan.load(exported)
    tf2gan.interpolate(made, module=exported, picture=path, translate="b2a", seeds="3,4", frames=2, scale=1,
                       save_latents=tmp_path / "styles.npy")
    styles = np.load(tmp_path / "styles.npy")
    assert styles.shape[1] == 3
    np.testing.assert_allclose(styles[0], model.styles(1, 3)[0], atol=1e-6)
    strip = tf2gan.core.images.read_image(made)
    corner = model.translate(picture(), "b2a", styles[0])
    found = [(row, column) for row in range(strip.shape[0] - 36) for column in range(strip.shape[1] - 44)
             if np.abs(strip[row:row + 37, column:column + 45].astype(int) - corner).max() <= 1]
    assert len(found) == 1


class Toy:
    """Functions of a model whose styles add to images: b' = a + style / 10, found again as what was added."""

    def __getitem__(self, name):
        return getattr(self, name)

    def __contains__(self, name):
        return hasattr(self, name)

    def styles(self, num, seed):
        values = np.linspace(0, 1, 50, dtype=np.float32)[:, None] if int(seed) == 4 else np.zeros([50, 1], np.float32)
        return {"styles": tf.constant(values[:int(num)])}

    def a2b_styled(self, images, styles):
        return {"images": tf.constant(images) + np.reshape(styles, [-1, 1, 1, 1]) / 10}

    def b2a_styled(self, images, styles):
        return self.a2b_styled(images, -np.asarray(styles))

    def a2b_style_of(self, images, partners):
        return {"styles": 10 * tf.reduce_mean(tf.constant(images) - partners, [1, 2])[:, :1]}

    def b2a_style_of(self, images, partners):
        return {"styles": 0.5 * -self.a2b_style_of(images, partners)["styles"]}  # half of what it should be


def test_figures_of_styles():
    images = np.full([20, 4, 4, 3], 102, np.uint8)
    source = image_sets.ImageSet("grey", 20, (4, 4, 3), lambda: iter([(images[:12], None), (images[12:], None)]))
    measured = translated.Translation(Toy(), "a2b", "b2a", source, seed=4)
    made = np.concatenate([batch for batch, _ in measured.image_set("made").batches()])
    styles = np.linspace(0, 1, 50)[:20]
    np.testing.assert_allclose(made[:, 0, 0, 0], 102 + 25.5 * styles, atol=0.51)
    errors = measured.errors
    assert errors["style_cycle_l1"] == pytest.approx(0, abs=1e-5)
    assert errors["cycle_l1"] == pytest.approx((styles / 20).mean(), abs=1e-5)  # half of each style is left
    assert errors["diversity_l1"] == pytest.approx((styles / 10).mean(), abs=0.002)  # the other seed's styles are 0
    assert "identity_l1" not in errors and errors["diversity_perceptual"] >= 0


def test_the_spread_of_real_images_is_over_successive_pairs():
    levels = np.array([0, 51, 51, 204], np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], [4, 4, 4, 3])
    parts = [(images[:1], None), (images[1:3], None), (images[3:], None)]
    found = translated.spread(types.SimpleNamespace(batches=lambda: iter(parts)))
    assert found["diversity_l1"] == pytest.approx((0.2 + 0.0 + 0.6) / 3)


def test_one_style_for_each_image_is_needed(gan):
    with pytest.raises(tf.errors.InvalidArgumentError):
        every_function(gan)["a2b_styled"](images=tf.zeros([2, 32, 32, 3]), styles=tf.zeros([1, 3]))


def test_a_translator_of_one_direction_still_finds_styles(exported):
    model = Translator.from_savedmodel(exported, ["a2b"])
    assert model.directions == ("a2b",) and model.style_of(picture(), "a2b").shape == (3,)


@pytest.mark.parametrize("changes, words", [
    ({"style_size": 0}, "--style-size 0"), ({"encoder_filters": 0}, "--encoder-filters 0"),
    ({"style_weight": -1.0}, "--style-weight -1.0"), ({"style_cycle_weight": float("nan")}, "--style-cycle-weight nan"),
    ({"pool_size": 1, "batch_size": 4}, "--pool-size 1")])
def test_bad_options(changes, words):
    with pytest.raises(UserError) as caught:
        METHOD.Config(**changes).check()
    assert words in str(caught.value)
