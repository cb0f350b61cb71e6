"""--init-from: what a training begins with, of a run or an export, what stays frozen, and what does not fit."""
import dataclasses
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tf2gan
from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError
from tf2gan.export import exporter
from tf2gan.networks.layers import variable_name
from tf2gan.gans import GANS
from tf2gan.runs import beginning, run_folder
from tf2gan.runs.restore import load_gan

TINY = {"generator_filters": 4, "discriminator_filters": 4, "batch_size": 8, "sample_every": 0,
        "dataset": "synthetic_digits"}
STILL = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0, "ema_decay": 0.0}


def train(folder, model="dcgan", steps=2, **options):
    return tf2gan.train(model, run_dir=str(folder), steps=steps, **{**TINY, **options})


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """(a run, an export of it)."""
    root = tmp_path_factory.mktemp("source")
    run = train(root / "run", seed=5)
    run.export(str(root / "exported"))
    return root / "run", root / "exported"


def weights(folder, player):
    gan, _ = load_gan(folder)
    network = gan.average if player == "average" else gan.networks[player][0]
    return {variable_name(v).partition("/")[2]: v.numpy() for v in network.variables}


def far_apart(folder, target):
    """Copies a run, and makes its averages other weights than the trained ones."""
    shutil.copytree(folder, target)
    gan, _ = load_gan(target)
    for variable in gan.averaged_variables:
        variable.assign(variable + 1.0)
    run = run_folder.Run(target)
    newest = run.newest()
    shutil.rmtree(newest.path)
    run.save(gan, newest.info)
    return target


def same(a, b):
    """Names of the variables that are equal in both."""
    assert a.keys() == b.keys()
    return {name for name in a if (a[name] == b[name]).all()}


def learned(names):
    return {name for name in names if "moving" not in name}


def test_of_a_run_all_networks_are_taken(source, tmp_path, capsys):
    train(tmp_path / "run", init_from=str(source[0]), seed=6, **STILL)
    for player in ("generator", "discriminator"):
        before, after = weights(source[0], player), weights(tmp_path / "run", player)
        assert learned(same(before, after)) == learned(before)
    train(tmp_path / "other", seed=6, **STILL)
    assert not [name for name in same(weights(source[0], "generator"), weights(tmp_path / "other", "generator"))
                if name.endswith("kernel")]
    out = capsys.readouterr()
    assert f"begins with the weights of {source[0]}" in out.out + out.err


def test_of_an_export_the_generator_is_taken(source, tmp_path, capsys):
    train(tmp_path / "run", init_from=str(source[1]), seed=6, **STILL)
    average = weights(source[0], "average")
    assert learned(same(average, weights(tmp_path / "run", "generator"))) == learned(average)
    assert not [name for name in same(weights(source[0], "discriminator"), weights(tmp_path / "run", "discriminator"))
                if name.endswith("kernel")]
    out = capsys.readouterr()
    assert "not there, and new: all of the discriminator" in out.out + out.err


@pytest.mark.parametrize("num, frozen", [(1, ["conv_0"]), (3, ["conv_0", "conv_1", "norm_1", "conv_2", "norm_2"])])
def test_frozen_layers(source, tmp_path, num, frozen):
    """Each convolution with its normalization."""
    train(tmp_path / "run", init_from=str(source[0]), freeze_discriminator=num, steps=3)
    before, after = weights(source[0], "discriminator"), weights(tmp_path / "run", "discriminator")
    assert learned(same(before, after)) == {name for name in learned(before) if name.split("/")[0] in frozen}


def built(model, **changes):
    """A GAN of a few weights, as for any run."""
    small = {"image_size": "32", "channels": 1, "generator_filters": 2, "discriminator_filters": 2, "num_classes": 3,
             "classes": 3, "generator_widths": "6", "discriminator_widths": "6", "feature_base": 16, "feature_max": 3}
    config = GANS.numbers(model).Config
    names = {field.name for field in dataclasses.fields(config)}
    return GANS[model](config(**{**{key: value for key, value in small.items() if key in names}, **changes}))


@pytest.mark.parametrize("model, changes, order", [
    ("gan", {}, ["dense_0", "to_logit"]),
    ("dcgan", {}, ["conv_0", "conv_1", "norm_1", "conv_2", "norm_2", "conv_3", "to_logit"]),
    ("dcgan", {"networks": "transposed"}, ["conv_0", "conv_1", "norm_1", "conv_2", "norm_2", "conv_3", "norm_3",
                                           "conv_4", "norm_4", "conv_5", "to_logits"]),
    ("cgan", {}, ["conv_0", "conv_1", "conv_2", "to_logit", "projection"]),
    ("cgan", {"discriminator_condition": "plane", "discriminator_normalization": "batch"},
     ["embedding", "conv_0", "conv_1", "norm_1", "conv_2", "norm_2", "to_logit"]),
    ("sgan", {}, ["conv_0", "conv_1", "norm_1", "conv_2", "norm_2", "to_logits"])])
def test_first_is_what_comes_first(model, changes, order):
    discriminator = built(model, **changes).discriminator
    assert [layer.name for block in discriminator.in_order for layer in block] == order
    with_weights = {id(v) for block in discriminator.in_order for layer in block for v in layer.trainable_variables}
    assert with_weights == {id(variable) for variable in discriminator.trainable_variables}


@pytest.mark.parametrize("model", ["projected", "fastgan", "progan"])
def test_what_cannot_be_frozen(model):
    with pytest.raises(UserError, match="--freeze-discriminator 1: which layers of this discriminator come first is"):
        built(model, init_from="x", freeze_discriminator=1)


def test_separate_updates_leave_frozen_layers_alone():
    """Of a classifier, which has an update on labels besides."""
    gan = built("sgan", updates="separate", init_from="x", freeze_discriminator=2)
    frozen = [variable for block in gan.discriminator.in_order[:2] for layer in block
              for variable in layer.trainable_variables]
    assert len(gan.learning_variables()) == len(gan.discriminator.trainable_variables) - len(frozen)
    before = [variable.numpy() for variable in gan.discriminator.trainable_variables]
    images = np.random.default_rng(0).uniform(-1, 1, [32, 32, 32, 1]).astype(np.float32)
    gan.update_separately({"images": images, "labelled_images": images, "labels": np.arange(32) % 3}, 0)
    kept = [(variable.numpy() == old).all() for variable, old in zip(gan.discriminator.trainable_variables, before)]
    assert [id(v) for v, same in zip(gan.discriminator.trainable_variables, kept) if same] == [
        id(v) for v in gan.discriminator.trainable_variables if any(v is one for one in frozen)]


def test_averages_begin_with_averages(source, tmp_path):
    """Or with the trained weights, of a run that has none."""
    gan, other = built("dcgan"), built("dcgan", seed=1, ema_decay=None)
    run = far_apart(source[0], tmp_path / "apart")
    target, _ = load_gan(source[0])
    beginning.load(target, run)
    expected, _ = load_gan(run)
    for ours, theirs in zip(target.average.variables, expected.average.variables):
        np.testing.assert_array_equal(ours, theirs)
    assert np.abs(target.average.variables[0] - target.generator.variables[0]).max() > 0.9
    train(tmp_path / "without", ema_decay=None, image_size="32", generator_filters=2, discriminator_filters=2)
    beginning.load(gan, tmp_path / "without")
    for average, trained in zip(gan.averaged_variables, gan.averaged_from):
        np.testing.assert_array_equal(average, trained)
    assert not other.averages


@pytest.mark.parametrize("model", ["gan", "cgan", "sgan", "progan", "projected"])
def test_exports_of_every_method(model, tmp_path):
    """All that is in them is found again, whatever the names; of ProGAN's parts for smaller images there are none."""
    changes = {"channels": 3} if model == "projected" else {}
    old, new = built(model, **changes), built(model, **changes)
    for variable in [*old.averaged_variables, *old.generator.variables]:
        variable.assign(variable + 1.0)
    exporter.export(old, tmp_path / "exported")
    lines = beginning.load(new, tmp_path / "exported")
    equal = [np.array_equal(ours, theirs) for ours, theirs in zip(new.generator.variables, old.generator.variables)]
    assert sum(equal) > 4 if model == "progan" else all(equal), lines


def test_an_export_by_an_older_version():
    """Its card says nothing of variables; they are found by their names, which Keras 2 kept."""
    folder = pathlib.Path(__file__).parents[2] / "savedmodels" / "dcgan-mnist"
    gan = GANS["dcgan"](GANS.numbers("dcgan").Config(image_size="28", channels=1))
    assert beginning.load(gan, folder)[1:] == ["  not there, and new: all of the discriminator"]
    expected = savedmodel.load(folder).signatures["seed"](num=tf.constant(4), seed=tf.constant(3, tf.int64))["images"]
    np.testing.assert_allclose((gan.generate(gan.latents(4, 3)) + 1.0) / 2.0, expected, atol=1e-4)


@pytest.mark.parametrize("kind, options, words", [
    (0, {"image_size": "32"}, "makes images of 28x28x1, this one of 32x32x1; possible: the same --image-size"),
    (1, {"image_size": "32"}, "makes images of 28x28x1, this one of 32x32x1; possible: the same --image-size"),
    (0, {"channels": 3}, "makes images of 28x28x1, this one of 28x28x3"),
    (0, {"latent_size": 9}, r"its generator is another network: generator/dense/kernel is \[100, .*\], here \[9, "),
    (0, {"discriminator_filters": 8}, "its discriminator is another network"),
    (0, {"model": "gan", "generator_filters": None, "discriminator_filters": None}, "its .* is another network"),
    (0, {"model": "cut", "image_size": "32", "projected_weight": 0.0, "dataset": "synthetic_apple2orange/32"},
     "is another network"),
    (0, {"model": "cyclegan", "image_size": "32", "projected_weight": 0.0, "dataset": "synthetic_apple2orange/32"},
     "has none of the networks of this method, which are generator_xy, generator_yx"),
    (None, {}, "--init-from .*nowhere: there is no such folder; needed: a run or an export"),
    (0, {"freeze_discriminator": 99}, "--freeze-discriminator 99: the discriminator has 5 blocks, one of which must")])
def test_what_does_not_fit(source, tmp_path, kind, options, words):
    path = tmp_path / "nowhere" if kind is None else source[kind]
    options = {**TINY, **options}
    options = {name: value for name, value in options.items() if value is not None}
    with pytest.raises(UserError, match=words):
        tf2gan.train(options.pop("model", "dcgan"), run_dir=str(tmp_path / "run"), steps=1, init_from=str(path),
                     **options)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_goes_on_with_its_own_weights(source, tmp_path):
    """And needs the source no more."""
    shutil.copytree(source[0], tmp_path / "source")
    whole = train(tmp_path / "whole", init_from=str(tmp_path / "source"), steps=4, deterministic=True)
    run = train(tmp_path / "run", init_from=str(tmp_path / "source"), steps=2, deterministic=True)
    shutil.rmtree(tmp_path / "source")
    run.resume(steps=4)
    for player in ("generator", "discriminator"):
        found = weights(run.path, player)
        assert same(weights(whole.path, player), found) == set(found)


@pytest.mark.parametrize("damage", [lambda card: card.unlink(), lambda card: card.write_text("{"),
                                    lambda card: card.write_text("[]")])
def test_an_export_without_its_card(source, tmp_path, damage):
    shutil.copytree(source[1], tmp_path / "exported")
    damage(tmp_path / "exported" / "1" / "model_card.json")
    with pytest.raises(UserError, match="neither a run nor an export of this project: model_card.json"):
        beginning.load(built("dcgan"), tmp_path / "exported")
