"""--init-from: what a training begins with, of a run or an export, what stays frozen, and what does not fit."""
import numpy as np
import pytest

import tf2gan
from tf2gan.core.errors import UserError
from tf2gan.networks.layers import variable_name
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
    assert "which has no discriminator: new" in out.out + out.err


@pytest.mark.parametrize("num, frozen", [(1, ["conv_0"]), (3, ["conv_0", "conv_1", "conv_2"])])
def test_frozen_layers(source, tmp_path, num, frozen):
    """Convolutions come first; their biases, which begin at 0, are frozen with them."""
    train(tmp_path / "run", init_from=str(source[0]), freeze_discriminator=num, steps=3)
    before, after = weights(source[0], "discriminator"), weights(tmp_path / "run", "discriminator")
    kept = learned(same(before, after))
    assert kept == {name for name in before if name.split("/")[0] in frozen}


def test_averages_begin_with_averages(source, tmp_path):
    with_averages, without = tmp_path / "with", tmp_path / "without"
    train(with_averages, init_from=str(source[0]), **{**STILL, "ema_decay": 1.0})
    before = weights(source[0], "average")
    assert any((before[name] != value).any() for name, value in weights(source[0], "generator").items())
    found = weights(with_averages, "average")
    assert all(np.allclose(before[name], found[name], atol=0.02) for name in learned(before))
    train(without, ema_decay=None)
    train(tmp_path / "new", init_from=str(without), **STILL)
    new, old = weights(tmp_path / "new", "average"), weights(without, "generator")
    assert learned(same(old, new)) == learned(old)


@pytest.mark.parametrize("kind, options, words", [
    (0, {"image_size": "32"}, "makes images of 28x28x1, this one of 32x32x1; possible: the same --image-size"),
    (1, {"image_size": "32"}, "makes images of 28x28x1, this one of 32x32x1; possible: the same --image-size"),
    (0, {"channels": 3}, "makes images of 28x28x1, this one of 28x28x3"),
    (0, {"latent_size": 9}, r"its generator is another network: generator/dense/kernel is \[100, .*\], here \[9, "),
    (0, {"discriminator_filters": 8}, "its discriminator is another network"),
    (1, {"model": "gan", "generator_filters": None, "discriminator_filters": None}, "other networks than this one"),
    (None, {}, "--init-from .*nowhere: there is no such folder; needed: a run or an export"),
    (0, {"freeze_discriminator": 99}, "--freeze-discriminator 99: the discriminator has 7 layers with weights")])
def test_what_does_not_fit(source, tmp_path, kind, options, words):
    path = tmp_path / "nowhere" if kind is None else source[kind]
    options = {**TINY, **options}
    options = {name: value for name, value in options.items() if value is not None}
    with pytest.raises(UserError, match=words):
        tf2gan.train(options.pop("model", "dcgan"), run_dir=str(tmp_path / "run"), steps=1, init_from=str(path),
                     **options)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_goes_on_with_its_own_weights(source, tmp_path):
    """And needs the source no more, which may be gone."""
    whole = train(tmp_path / "whole", init_from=str(source[0]), steps=4, deterministic=True)
    run = train(tmp_path / "run", init_from=str(source[0]), steps=2, deterministic=True)
    run.resume(steps=4)
    for player in ("generator", "discriminator"):
        found = weights(run.path, player)
        assert same(weights(whole.path, player), found) == set(found)
