"""Figures of translation, recomputed from images and features; pairs; what the input and an untrained network give."""
import re
import shutil
import types

import numpy as np
import pytest
import shades
import tensorflow as tf
from PIL import Image

from tf2gan.core.errors import UserError
from tf2gan.data import load, pipeline
from tf2gan.evaluation.evaluate import evaluate_run, evaluate_savedmodel
from tf2gan.export import exporter
from tf2gan.metrics import imagenet, perceptual, similarity, statistics
from tf2gan.runs.restore import load_gan
from tf2gan.training.loop import build_gan

WAYS = (("a2b", "b2a", "A", "B"), ("b2a", "a2b", "B", "A"))
COLUMNS = ("model", "untrained", "input", "real_train")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return shades.shared_domains(tmp_path_factory)


@pytest.fixture(scope="module")
def evaluated(readers, tmp_path_factory):
    """A run that was measured: `run`, `result`, and the `reader` that was used."""
    run = shades.cyclegan_run(tmp_path_factory)
    result = evaluate_run(run, shades.settings())
    return types.SimpleNamespace(run=run, result=result, reader=readers[-1])


def pictures(data, split):
    """uint8 [n, 32, 32, 3], in the order of file names."""
    return np.stack([np.asarray(Image.open(path)) for path in sorted((data / split).iterdir())])


def generated(gan, images, direction):
    """Float images in [-1, 1], one after the other."""
    inputs = images if images.dtype == np.float32 else (images / np.float32(127.5) - 1).astype(np.float32)
    return np.concatenate([gan.generate(image[None], direction).numpy() for image in inputs])


def to_bytes(images):
    return np.rint((images.astype(np.float64) + 1) * 127.5).clip(0, 255).astype(np.uint8)


def values(result, metric):
    (figure,) = [figure for figure in result["figures"] if figure["metric"] == metric]
    return figure["values"]


def begun(data):
    """The network that a training with the run's seed begins with."""
    return build_gan(type(load_gan(data)[0]), load_gan(data)[0].config, 40,
                          tf.distribute.get_strategy())


def colors(images):
    """Shares of the 512 colours of 8 levels a channel."""
    levels = (images.astype(int) * 8 * 2 // 511).clip(0, 7).reshape(-1, 3)
    return np.bincount(levels @ [64, 8, 1], minlength=512) / len(levels)


@pytest.mark.parametrize("there, back, source, target", WAYS)
def test_every_figure_is_that_of_these_images_and_features(evaluated, data, there, back, source, target):
    gan, _ = load_gan(evaluated.run)
    real, aim = pictures(data, f"test{source}"), pictures(data, f"test{target}")
    sets = {"input": real}
    for column, network in (("model", gan), ("untrained", begun(evaluated.run))):
        floats = real / 127.5 - 1
        translated = generated(network, real, there)
        sets[column] = to_bytes(translated)
        for metric, other in (("cycle_l1", generated(network, translated, back)),
                              ("identity_l1", generated(network, real, back))):
            found = values(evaluated.result, f"{metric}_{there}")
            assert found[column] == pytest.approx(np.abs(other - floats).mean() / 2, rel=1e-4)
            assert found.keys() == {"model", "untrained"}
        pairs = {"l1": np.abs(sets[column].astype(float) - aim).mean() / 255,
                 "psnr": similarity.psnr(sets[column], aim).mean(), "ssim": similarity.ssim(sets[column], aim).mean(),
                 "perceptual": perceptual.distances(sets[column], aim).mean()}
        for metric, value in pairs.items():
            assert values(evaluated.result, f"{metric}_{there}")[column] == pytest.approx(value, rel=1e-3, abs=1e-4)
    features = {name: evaluated.reader(images)["features"] for name, images in [*sets.items(), ("aim", aim)]}
    for column in sets:
        fid = statistics.frechet_distance(features["aim"], features[column])
        assert values(evaluated.result, f"fid_{there}")[column] == pytest.approx(fid, rel=1e-3, abs=1e-4)
        # Subsets of two are drawn in the order of the images: that of both file names.
        kid, _ = statistics.kernel_distance(features["aim"], features[column], 100, 2, 0)
        assert values(evaluated.result, f"kid_{there}")[column] == pytest.approx(kid, rel=1e-3, abs=1e-3)
        distance = np.abs(colors(sets[column]) - colors(aim)).sum() / 2
        assert values(evaluated.result, f"color_distance_{there}")[column] == pytest.approx(distance, abs=2e-3)
    for metric in ("fid", "kid", "color_distance"):
        found = values(evaluated.result, f"{metric}_{there}")
        assert found.keys() == set(COLUMNS) and len(set(found.values())) == 4
    fid = values(evaluated.result, f"fid_{there}")
    assert fid["real_train"] < 0.2 * fid["input"], "real images of the target are near, those of the source are not"


def test_the_floor_is_drawn_from_the_training_images_of_the_target(evaluated, data):
    random = {target: evaluated.result["protocol"]["num"][there]["floor"] for there, _, _, target in WAYS}
    assert random == {"A": 5, "B": 5}
    for there, _, _, target in WAYS:
        own = evaluated.reader(pictures(data, f"test{target}"))["features"]
        split = load.load(str(data), ("trainA",))[f"train{target}"]
        drawn = pictures(data, f"train{target}")[pipeline.order(split, 0, 0).numpy()[:5]]
        fid = statistics.frechet_distance(own, evaluated.reader(drawn)["features"])
        assert values(evaluated.result, f"fid_{there}")["real_train"] == pytest.approx(fid, rel=1e-3)


def test_names_and_protocol(evaluated, data):
    names = {figure["metric"]: figure["name"] for figure in evaluated.result["figures"]}
    assert list(names) == [f"{metric}_{there}" for there in ("a2b", "b2a") for metric in (
        "fid", "kid", "cycle_l1", "identity_l1", "l1", "perceptual", "psnr", "ssim", "color_distance")]
    assert names["perceptual_a2b"] == f"perceptual_a2b_5_tints-testB_{imagenet.made().name}"
    assert re.fullmatch("fid_a2b_5_tints-testB_classifier-tints-domains-32x32x3-[0-9a-f]{6}", names["fid_a2b"])
    assert names["kid_b2a"] == f"kid_b2a_5_tints-testA_{evaluated.reader.name}"
    assert names["cycle_l1_a2b"] == "cycle_l1_a2b_5_tints-testB"
    protocol = dict(evaluated.result["protocol"])
    assert protocol.pop("versions") and protocol.pop("extractor")["hash"] == evaluated.reader.hash
    assert protocol == {
        "source": "run of cyclegan", "images_seen": 7, "dataset": "tints", "split": "test",
        "num": {"a2b": {"source": 5, "target": 5, "floor": 5}, "b2a": {"source": 5, "target": 5, "floor": 5}},
        "floor": "train", "image_shape": [32, 32, 3], "resize": "bilinear, antialiased, middle crop", "seed": 0,
        "weights": "averaged", "color_distance": "total variation of joint RGB histograms, 8 bins a channel",
        "perceptual": perceptual.INFO,
        "kid": {"kernel": "(x.y / d + 1)^3", "subsets": 100, "subset_size": 2}}
    better = {figure["metric"]: figure["better"] for figure in evaluated.result["figures"]}
    assert {name[:-4] for name, which in better.items() if which == "higher"} == {"psnr", "ssim"}
    assert None not in better.values()


def test_raw_weights_are_others(evaluated):
    raw = evaluate_run(evaluated.run, shades.settings(metrics="fid"), weights="raw")
    for there in ("a2b", "b2a"):
        cycle, averaged = values(raw, f"cycle_l1_{there}"), values(evaluated.result, f"cycle_l1_{there}")
        assert cycle["untrained"] == averaged["untrained"]
        # The averages alone were moved away from the initial weights.
        assert cycle["model"] == pytest.approx(cycle["untrained"], rel=1e-5) != averaged["model"]
    assert all(figure["name"].endswith("_raw") for figure in raw["figures"])


def test_an_export_has_the_figures_of_its_run(evaluated, data, tmp_path):
    gan, record = load_gan(evaluated.run)
    folder = exporter.export(gan, tmp_path / "fruit", card=record)
    del gan
    result = evaluate_savedmodel(folder, shades.settings(), str(data))
    assert [figure["name"] for figure in result["figures"]] == [
        figure["name"] for figure in evaluated.result["figures"]]
    for figure, other in zip(result["figures"], evaluated.result["figures"]):
        assert figure["values"] == pytest.approx(other["values"], rel=1e-3, abs=1e-3), figure["metric"]
    assert result["protocol"] == {**evaluated.result["protocol"], "source": "export fruit, version 1"}


# Pairs.

def test_files_of_other_names_are_no_pairs(evaluated, data, tmp_path):
    other = shutil.copytree(data, tmp_path / "tints")
    (other / "testB" / "3.png").rename(other / "testB" / "33.png")
    result = evaluate_run(evaluated.run, shades.settings(metrics="fid"), str(other))
    assert {figure["metric"][:-4] for figure in result["figures"]} == {
        "fid", "cycle_l1", "identity_l1", "color_distance"}


def test_as_many_pairs_as_are_asked_for(evaluated, data):
    """Of 2 images each with the first of as many in the other folder."""
    result = evaluate_run(evaluated.run, shades.settings(metrics="fid", num=2))
    gan, _ = load_gan(evaluated.run)
    for there, _, source, target in WAYS:
        made = to_bytes(generated(gan, pictures(data, f"test{source}")[:2], there))
        assert values(result, f"psnr_{there}")["model"] == pytest.approx(
            similarity.psnr(made, pictures(data, f"test{target}")[:2]).mean(), rel=1e-3)
        assert result["protocol"]["num"][there] == {"source": 2, "target": 5, "floor": 2}
        assert f"psnr_{there}_2_tints-test{target}" in result["table"]


# What is refused.

@pytest.mark.parametrize("changes, words", [
    ({"metrics": "fid,is"}, "--metrics is: needs at least 10 images, tints testB has 5"),
    ({"metrics": "dc"}, "--metrics dc: needs at least 6 images, tints testB has 5"),
    ({"metrics": "pr", "num": 3}, "--metrics pr: needs at least 4 images, a2b, measured has 3"),
    ({"metrics": "classes"}, "--metrics classes: translations have none; possible: fid,kid,is,pr,dc,swd,ms-ssim")])
def test_what_cannot_be_measured(evaluated, changes, words):
    with pytest.raises(UserError) as caught:
        evaluate_run(evaluated.run, shades.settings(**changes))
    assert str(caught.value) == words


def test_data_of_one_kind_are_refused(evaluated, tmp_path_factory):
    with pytest.raises(UserError, match="is laid out for models that make images of one kind"):
        evaluate_run(evaluated.run, shades.settings(), str(shades.shared_data(tmp_path_factory)))


def test_changed_data_are_refused(data, tmp_path):
    changed = shutil.copytree(data, tmp_path / "tints")
    run = shades.make_cyclegan_run(tmp_path / "run", changed)
    (changed / "testA" / "0.png").unlink()
    with pytest.raises(UserError, match="the data have changed"):
        evaluate_run(run, shades.settings())


def test_the_classifier_tells_the_domains_apart(evaluated, data):
    key = evaluated.reader.info["identity"]["key"]
    splits = load.load(str(data), ("trainA", "trainB", "testA", "testB"))
    assert key["dataset"] == "tints-domains"
    assert key["train"] == f"{splits['trainA'].fingerprint} and {splits['trainB'].fingerprint}"
    read = np.concatenate([evaluated.reader.predict(pictures(data, f"test{domain}")) for domain in "AB"])
    assert evaluated.reader.accuracy == np.mean(read == np.repeat([0, 1], 5)) == 1
