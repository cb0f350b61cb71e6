"""Options of GANs from noise: what is refused, and what the data decide."""
import dataclasses

import pytest
from noise_gans import NOISE_GANS, PRESETS

from tf2gan.core.errors import UserError
from tf2gan.gans import GANS
from tf2gan.gans.configs.latent import Config
from tf2gan.runs.record import from_record

# Bad values.

@pytest.mark.parametrize("name, value, limit", [
    ("channels", 2, "possible: 1, 3"), ("latent_size", 0, "at least 1"), ("n_critic", 0, "at least 1"),
    ("pretrain_images", -1, "at least 0"), ("real_label", 1.1, "from 0 to 1"), ("fake_label", -0.1, "from 0 to 1"),
    ("label_flips", 1.5, "from 0 to 1"), ("instance_noise", -0.1, "at least 0"), ("penalty_weight", -1.0, "at least 0"),
    ("penalty_target", 0.0, "above 0 and finite"), ("penalty_target", -1.0, "above 0 and finite"),
    ("penalty_target", float("nan"), "above 0 and finite"), ("penalty_target", float("inf"), "above 0 and finite"),
    ("drift_weight", -0.1, "at least 0"), ("drift_weight", float("nan"), "at least 0 and finite"),
    ("discriminator_loss_weight", float("nan"), "at least 0"), ("generator_learning_rate", -1e-3, "at least 0"),
    ("discriminator_learning_rate", float("inf"), "at least 0 and finite"), ("beta_1", 1.0, "from 0 to 0.9999"),
    ("beta_2", 1.0, "from 0 to 0.999999"), ("epsilon", 0.0, "above 0 and finite"),
    ("generator_dropout", 1.0, "from 0 to 0.99"),
    ("discriminator_dropout", -0.1, "from 0 to 0.99"), ("weight_clip", 0.0, "above 0"),
    ("gradient_clip", -1.0, "above 0"),
    ("gradient_clip", float("inf"), "finite"), ("weight_clip", float("nan"), "above 0"),
    ("batch_size", 0, "at least 1"),
    ("image_size", "28x32", "square"), ("ema_decay", 2.0, "from 0 to 1"),
])
def test_bad_values(name, value, limit):
    with pytest.raises(UserError) as caught:
        Config(**{name: value}).check()
    message = str(caught.value)
    assert message.startswith(f"--{name.replace('_', '-')} {value}:") and limit in message and "\n" not in message


@pytest.mark.parametrize("changes, names", [
    ({"loss": "wasserstein"}, ["--loss wasserstein", "--weight-clip 0.01", "--penalty wgan-gp"]),
    ({"loss": "hinge", "real_label": 0.9}, ["--real-label 0.9", "--loss hinge",
                                            "minimax, non-saturating, least-squares"]),
    ({"loss": "hinge", "soft_labels": True}, ["--soft-labels True", "--loss hinge"]),
    ({"loss": "wasserstein", "weight_clip": 0.1, "label_flips": 0.1}, ["--label-flips 0.1", "--loss wasserstein"]),
    ({"loss": "wasserstein", "penalty": "wgan-gp", "fake_label": 0.1}, ["--fake-label 0.1", "--loss wasserstein"]),
    ({"real_label": 0.3, "fake_label": 0.3}, ["--fake-label 0.3", "below --real-label 0.3"]),
    ({"penalty_target": 2.0}, ["--penalty-target 2.0", "--penalty wgan-gp, wgan-gp-one-sided or dragan"]),
    ({"penalty_target": 750.0, "penalty": "r1"}, ["--penalty-target 750.0", "--penalty wgan-gp"]),
    ({"half_batches": True, "batch_size": 7}, ["--batch-size 7", "even for --half-batches"]),
])
def test_bad_combinations(changes, names):
    with pytest.raises(UserError) as caught:
        Config(**changes).check()
    message = str(caught.value)
    assert "\n" not in message and all(name in message for name in names), message


@pytest.mark.parametrize("field, text", [
    ("generator_widths", ""), ("generator_widths", "128,"), ("discriminator_widths", "0"),
    ("discriminator_widths", "12x8"), ("generator_widths", "-3")])
def test_bad_widths(field, text):
    with pytest.raises(UserError, match=f"--{field.replace('_', '-')} {text}: must be numbers from 1 on"):
        GANS["gan"].Config(**{field: text}).check()


@pytest.mark.parametrize("changes", [
    {}, {"loss": "hinge"}, {"loss": "wasserstein", "weight_clip": 0.01}, {"loss": "wasserstein", "penalty": "wgan-gp"},
    {"soft_labels": True, "label_flips": 0.1}, {"real_label": 0.9, "fake_label": 0.1, "batches": "joint"},
    {"half_batches": True}, {"image_size": None}, {"image_size": "1", "channels": 3}, {"drift_weight": 0.001},
    *({"penalty": penalty, "penalty_target": 750.0} for penalty in ("wgan-gp", "wgan-gp-one-sided", "dragan")),
    {"penalty_target": 1.0, "penalty": "r1"}])
def test_good_values(changes):
    Config(**changes).check()


def test_presets_are_possible_and_the_first_is_the_default():
    for name, preset in PRESETS:
        GANS[name].presets[preset].check()
        assert set(GANS[name].preset_options) == set(GANS[name].presets)
    for name in NOISE_GANS:
        first, preset = next(iter(GANS[name].presets.items()))
        assert first == name and GANS.names()[name] == (name, name)
        if name == "wgan":  # whose options are DCGAN's
            assert GANS[name].Config == GANS["dcgan"].Config and preset == GANS.numbers(name).presets[name]
        else:
            assert preset == GANS[name].Config()


# Fitting to the data.

def test_fitted_takes_what_is_open_from_the_data():
    fitted = Config().fitted((28, 28, 1), None)
    assert (fitted.image_size, fitted.channels) == ("28", 1)
    kept = Config(image_size="32", channels=1).fitted((40, 40, 3), None)
    assert (kept.image_size, kept.channels) == ("32", 1)
    assert Config(image_size="32").fitted((None, None, 3), None).channels == 3


@pytest.mark.parametrize("shape, what", [
    ((None, None, 3), "differ in size"), ((28, 32, 1), "28x32 pixels, not square")])
def test_fitted_needs_a_size_where_the_data_have_none(shape, what):
    with pytest.raises(UserError) as caught:
        GANS["dcgan"].Config(dataset="pictures").fitted(shape, None)
    message = str(caught.value)
    assert message.startswith("--image-size is needed") and what in message and "\n" not in message
    assert "pictures" in message and message.endswith("multiples of 4 from 8 on")


# The semi-supervised one.

@pytest.mark.parametrize("changes, words", [
    ({"num_labels": 0}, "--num-labels 0: must be at least 1"),
    ({"classes": 0}, "--classes 0: must be at least 1"),
    ({"label_seed": -1}, "--label-seed -1: must be from 0 to"),
    ({"labelled_loss_weight": float("nan")}, "--labelled-loss-weight nan: must be at least 0"),
    ({"labelled_shift": -1}, "--labelled-shift -1: must be at least 0"),
    ({"labelled_shift": 9, "image_size": "8"}, "--labelled-shift 9: must be from 0 to 8"),
    ({"discriminator_noise": -0.1}, "--discriminator-noise -0.1: must be at least 0"),
    ({"classifier_ema_decay": 1.1}, "--classifier-ema-decay 1.1: must be from 0 to 1"),
    ({"generator_filters": 0}, "--generator-filters 0: must be at least 1"),
    ({"learning_rate_decay": True, "epoch_decay": 0.9}, "give only one of --learning-rate-decay and --epoch-decay"),
    ({"learning_rate_decay": False, "epoch_decay": 1.1}, "--epoch-decay 1.1: must be from 0 to 1"),
    ({"more_unlabelled": "train"}, "--more-unlabelled train: needed: another split"),
    ({"discriminator": "dense"}, "--discriminator dense: cannot have --discriminator-normalization batch; possible: "),
    ({"generator": "dense", "generator_filters": 8}, "--generator-filters 8: --generator dense has none"),
    ({"discriminator": "dense", "discriminator_normalization": "weight", "discriminator_filters": 8},
     "--discriminator-filters 8: --discriminator dense has none"),
    ({"generator": "transposed", "image_size": "28"}, "--image-size 28: these networks cannot make it"),
    ({"discriminator": "house-numbers", "image_size": "20"}, "--image-size 20: these networks cannot make it")])
def test_bad_values_of_sgan(changes, words):
    with pytest.raises(UserError) as caught:
        GANS["sgan"].Config(**changes).check()
    assert str(caught.value).startswith(words) and "\n" not in str(caught.value)


def test_classes_of_sgan_are_those_of_the_data():
    config, digits = GANS["sgan"].Config, list("0123456789")
    assert config().fitted((28, 28, 1), digits).classes == 10
    assert config(classes=10).fitted((28, 28, 1), digits).classes == 10
    for given, names, words in ((config(dataset="faces"), None, "dataset 'faces' has no labels"),
                                (config(classes=3), digits, "--classes 3: mnist has 10 classes")):
        with pytest.raises(UserError) as caught:
            given.fitted((28, 28, 1), names)
        assert str(caught.value).startswith(words) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cyclegan", "cgan"])
def test_runs_that_are_older_than_an_option_keep_their_networks(name):
    """Those of the book's numbers, which were the defaults then."""
    book = GANS[name].presets["book"]
    record = {field: value for field, value in dataclasses.asdict(book).items() if field not in GANS[name].Config.OLDER}
    assert len(record) < len(dataclasses.fields(book))
    gan_class, config = from_record({"model": name, "config": record})
    assert gan_class is GANS[name] and config == book
