"""Figures in the course of a training: beside the training images, from the generator as it is, and without a trace."""
import json
import types

import numpy as np
import pytest
import shades
import tool

from tf2gan.core.errors import UserError
from tf2gan.data import load, pipeline
from tf2gan.evaluation import by_heart, during_training
from tf2gan.evaluation.evaluate import evaluate_run
from tf2gan.gans.conditional import CGAN
from tf2gan.gans.cyclegan import CycleGAN
from tf2gan.gans.vanilla import GAN
from tf2gan.metrics import similarity, statistics
from tf2gan.runs.restore import load_gan
from tf2gan.training.options import Options

NUM = 20


def options(**changes):
    return Options(**{"evaluate_every": 1, "evaluate_num": NUM, "extractor": "classifier", **changes})


def watcher(run, **changes):
    """(GAN of a run, the function that measures it)."""
    gan, record = load_gan(run)
    splits = load.load(gan.config.dataset, gan.splits)
    return gan, during_training.make(gan, splits, record, options(**changes))


@pytest.mark.parametrize("model", list(shades.RUNS))
def test_figures_of_samples_beside_the_training_images(model, readers, tmp_path_factory):
    data = shades.shared_data(tmp_path_factory)
    gan, watch = watcher(shades.RUNS[model](tmp_path_factory), evaluate_metrics="fid,kid,ms-ssim,pr,classes")
    found = {figure.metric: figure for figure in watch(gan)}
    reader, (fake, _), (real, _) = readers[-1], shades.samples(gan, NUM, 0), shades.drawn(data, "train", 99, 0)
    features, pairs = [reader(images)["features"] for images in (real, fake)], similarity.ms_ssim(fake[::2], fake[1::2])
    shares = [np.bincount(reader.predict(images), minlength=3) / len(images) for images in (real, fake)]
    kid, deviation = statistics.kernel_distance(*features, 100, NUM // 2, 0)
    expected = {"fid": (statistics.frechet_distance(*features), None), "kid": (kid, deviation),
                "ms_ssim": (pairs.mean(), pairs.std(ddof=1) / np.sqrt(10)),
                **{name: (value, None) for name, value in zip(("precision", "recall"),
                                                              statistics.precision_recall(*features))},
                "class_distance": (np.abs(shares[0] - shares[1]).sum() / 2, None)}
    expected["authenticity"] = statistics.authenticity(*features), None
    assert found.keys() == {*expected, "sure", *by_heart.FIGURES}
    for name, (value, deviation) in expected.items():
        assert found[name].value == pytest.approx(value, rel=1e-3, abs=1e-5), name
        assert found[name].deviation == (deviation and pytest.approx(deviation, rel=1e-3)), name
    assert found["fid"].name == f"fid{NUM}_shades-train_{reader.name}"
    assert found["ms_ssim"].name == f"ms_ssim_{NUM}_shades-train"
    shades.shake([gan.average], 0.1)
    again = {figure.metric: figure for figure in watch(gan)}
    assert again["fid"].name == found["fid"].name and again["fid"].value != pytest.approx(found["fid"].value, rel=1e-3)


def test_the_training_images_are_read_once(tmp_path_factory, monkeypatch):
    read = []
    gan, record = load_gan(shades.gan_run(tmp_path_factory))

    class Reader:
        name, hash, info = "counted", "0" * 64, {"run": str(tmp_path_factory.mktemp("other"))}  # never in the cache

        def __call__(self, images):
            read.append(len(images))
            return {"features": images.reshape(len(images), -1).astype(np.float32)}

    monkeypatch.setattr("tf2gan.evaluation.extractors.classifier_for", lambda *args, **kwargs: Reader())
    watch = during_training.make(gan, {}, record, options())
    assert sum(read) == 36
    for _ in range(3):
        watch(gan)
    assert sum(read) == 36 + 3 * NUM


def test_both_directions_and_their_mean(readers, tmp_path_factory):
    data = shades.shared_domains(tmp_path_factory)
    gan, watch = watcher(shades.cyclegan_run(tmp_path_factory), evaluate_metrics="fid,swd,ms-ssim", evaluate_num=7)
    found = {figure.metric: figure for figure in watch(gan)}
    assert list(found) == [f"{name}{end}" for ends in (["_a2b"], ["_b2a"], [""]) for name in (
        "fid", "swd_32", "swd_16", "swd", "ms_ssim") for end in ends]
    for name in ("fid", "swd", "ms_ssim"):
        assert found[name].value == pytest.approx((found[f"{name}_a2b"].value + found[f"{name}_b2a"].value) / 2)
    splits = load.load(str(data), CycleGAN.splits)
    for there, source, target in (("a2b", "A", "B"), ("b2a", "B", "A")):
        images, _ = shades.files(data / f"train{source}")
        images = images[pipeline.order(splits[f"train{source}"], 0, 0).numpy()[:7]]
        made = np.concatenate([gan.generate((image[None] / np.float32(127.5) - 1), there).numpy() for image in images])
        made = np.rint((made.astype(np.float64) + 1) * 127.5).astype(np.uint8)
        fid = statistics.frechet_distance(*(readers[-1](each)["features"] for each in (
            shades.files(data / f"train{target}")[0], made)))
        assert found[f"fid_{there}"].value == pytest.approx(fid, rel=1e-3)
        assert found[f"ms_ssim_{there}"].value == pytest.approx(similarity.ms_ssim(
            made[0:6:2], made[1:6:2]).mean(), rel=1e-3)
        assert found[f"fid_{there}"].name == f"fid_{there}_7_tints-train{target}_{readers[-1].name}"
    assert found["fid"].name == f"fid7_tints-train_{readers[-1].name}"
    assert found["swd_16"].name == "swd_16_7_tints-train"


# What is known before the data are.

@pytest.mark.parametrize("gan_class, metrics, extractor, expected", [
    (GAN, "fid", "classifier", ("fid",)),
    (CGAN, "swd,pr,classes", "classifier", ("swd", "precision", "recall", "class_distance", "sure")),
    (CycleGAN, "fid,dc", "classifier", ("fid", "density", "coverage", "fid_a2b", "fid_b2a", "density_a2b",
                                        "density_b2a", "coverage_a2b", "coverage_b2a")),
    (GAN, "swd", "savedmodel:/nowhere", ("swd",))])
def test_the_names_of_figures(gan_class, metrics, extractor, expected):
    assert during_training.check(gan_class, gan_class.Config(), options(evaluate_metrics=metrics, extractor=extractor)) == (
        expected)


@pytest.mark.parametrize("gan_class, changes, words", [
    (GAN, {"evaluate_metrics": "fdi"}, "unknown metric 'fdi': did you mean 'fid'"),
    (CycleGAN, {"evaluate_metrics": "classes"}, "--evaluate-metrics classes: translations have none"),
    (GAN, {"extractor": "savedmodel:/nowhere"}, "/nowhere does not exist"),
    (CycleGAN, {"extractor": "clasifier"}, "unknown extractor 'clasifier'")])
def test_what_cannot_be_measured_is_refused_before_any_data(gan_class, changes, words):
    with pytest.raises(UserError, match=words):
        during_training.check(gan_class, gan_class.Config(), options(**changes))


@pytest.mark.parametrize("changes, words", [
    ({"evaluate_metrics": "is", "evaluate_num": 9}, "--evaluate-metrics is: needs at least 10 images, samples has 9"),
    ({"evaluate_metrics": "dc", "evaluate_num": 5}, "--evaluate-metrics dc: needs at least 6 images, samples has 5")])
def test_too_few_images(tmp_path_factory, changes, words):
    with pytest.raises(UserError, match=words):
        watcher(shades.gan_run(tmp_path_factory), **changes)


# A training.

@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two runs of the same options, of which one was evaluated; with the result of the tool."""
    folder = tmp_path_factory.mktemp("trained")
    data = shades.shared_data(tmp_path_factory)
    every = ("--steps", "6", "--log-every", "2", "--deterministic")
    shades.train("gan", data, folder / "plain", *every)
    process = tool.run_here("--model", "gan", "--dataset", data, "--run-dir", folder / "watched", "--image-size",
                            shades.SIZE, "--batch-size", shades.BATCH_SIZE, "--latent-size", "5", "--seed", shades.SEED,
                            *shades.NETWORKS["gan"], *every, "--evaluate-every", "2", "--evaluate-num", NUM,
                            "--evaluate-metrics", "fid,ms-ssim", "--keep-best", "fid", "--stop-after", "9")
    assert process.returncode == 0, process.stderr
    return types.SimpleNamespace(plain=folder / "plain", run=folder / "watched", process=process)


def test_a_training_logs_figures_and_keeps_the_best(trained, readers):
    name, other = f"fid{NUM}_shades-train_{readers[-1].name}", f"ms_ssim_{NUM}_shades-train"
    lines = [line for line in tool.logged(trained.run) if name in line]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert all(line[name] > 0 and 0 < line[other] <= 1 and f"{other}_deviation" in line for line in lines)
    scalars = tool.scalars(trained.run)
    for each in (name, other):
        assert scalars[each] == pytest.approx({line["images"]: line[each] for line in lines})
    (best,) = (trained.run / "checkpoints").glob("best-*")
    info = json.loads((best / "info.json").read_text())
    lowest = min(lines, key=lambda line: line[name])
    assert (info["best"]["name"], info["best"]["step"], info["best"]["value"]) == (name, lowest["step"], lowest[name])
    assert "best fid:" in trained.process.stdout


def test_the_figure_of_the_best_checkpoint_is_that_of_its_weights(trained, readers):
    _, record = load_gan(trained.run, "best")
    result = evaluate_run(trained.run, shades.settings(num=NUM, metrics="fid"), split="train", checkpoint="best")
    assert result["figures"][0]["name"] == record["checkpoint"]["best"]["name"]
    assert shades.column(result, "model")["fid"] == pytest.approx(record["checkpoint"]["best"]["value"], rel=1e-4)


def test_a_training_is_the_same_with_evaluations_and_without(trained):
    found, expected = tool.tensors(trained.run), tool.tensors(trained.plain)
    assert found.keys() == expected.keys() and len(found) > 10
    assert not [name for name in expected if found[name].tobytes() != expected[name].tobytes()]
    assert [line for line in tool.logged(trained.run) if "generator_loss" in line] == tool.logged(trained.plain)


def test_training_ends_when_figures_improve_no_more(tmp_path, tmp_path_factory):
    """With a learning rate of 0 nothing improves: the second evaluation is the last."""
    data = shades.shared_data(tmp_path_factory)
    folder = shades.train("gan", data, tmp_path / "run", "--steps", "9", "--evaluate-every", "2", "--evaluate-num", NUM,
                          "--keep-best", "fid", "--stop-after", "1", "--generator-learning-rate", "0",
                          "--discriminator-learning-rate", "0")
    lines = [line for line in tool.logged(folder) if any(name.startswith("fid") for name in line)]
    assert [line["step"] for line in lines] == [2, 4]
    assert len({line[name] for line in lines for name in line if name.startswith("fid")}) == 1
    assert load_gan(folder)[1]["checkpoint"]["step"] == 4


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_data_without_labels_are_refused_before_the_folder_is_made(tmp_path, more):
    for i in range(8):
        shades.write(tmp_path / "flat" / f"{i}.png", np.full([16, 16], 20 * i, np.uint8))
    done = tool.run_here("--model", "gan", "--dataset", tmp_path / "flat", "--run-dir", tmp_path / "run",
                         *shades.NETWORKS["gan"], "--image-size", "16", "--batch-size", "4", "--evaluate-every", "2",
                         *more)
    assert done.returncode == 2 and "images of flat are grey, which imagenet has not learned from, and have no labels to" in done.stderr
    assert not (tmp_path / "run").exists()
