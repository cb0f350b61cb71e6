"""CyCADA through the tools: killed in its stages, resumed, measured, exported, used."""
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tool

import tf2gan
from tf2gan.core import images
from tf2gan.data.synthetic import render_digit

SMALL = ("--model", "cycada", "--generator-filters", "2", "--discriminator-filters", "2", "--classifier-filters", "2",
         "--num-blocks", "1", "--batch-size", "2", "--deterministic", "--source-steps", "2", "--translation-steps", "3",
         "--pixels-steps", "2", "--log-every", "1", "--checkpoint-every", "2", "--sample-every", "5", "--steps", "10")
DIGITS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """(source, target): folders with train/ and test/, a sub folder a digit; the target's images are inverted."""
    root = tmp_path_factory.mktemp("data")
    for kind, num in (("train", 12), ("test", 6)):
        for number in range(num):
            digit = np.repeat(render_digit(kind, 10 * (number // DIGITS) + number % DIGITS, 32), 3, axis=-1)
            for domain, image in (("source", digit), ("target", 255 - digit)):
                images.write_image(root / domain / kind / str(number % DIGITS) / f"{number}.png", image)
    return root / "source", root / "target"


def arguments(data):
    return [*SMALL, "--dataset", data[0], "--target", data[1]]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """The folder of a run without interruption, and what it printed; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    process = tool.run_here(*arguments(data), "--run-dir", folder)
    assert process.returncode == 0, process.stderr
    return folder, process.stdout


@pytest.mark.parametrize("step", [4, 7, 9])
def test_killed_and_gone_on_with(run, data, tmp_path, step):
    """In the translation, at the first step of the last stage, and in it; checkpoints are at 2, 4, 6, 8."""
    folder = tmp_path / "run"
    tool.run_here_until(step, *arguments(data), "--run-dir", folder)
    process = tool.run_here("--resume", folder)
    assert process.returncode == 0, process.stderr
    tool.assert_same_end(folder, run[0])


def test_every_stage_is_logged(run):
    lines = tool.metrics(run[0])
    kinds = ["source_only_loss", "source_only_loss", "semantic", "semantic", "semantic", "pixels_loss", "pixels_loss",
             "feature_loss", "feature_loss", "feature_loss"]
    assert [line["step"] for line in lines] == list(range(1, 11))
    for line, kind in zip(lines, kinds):
        assert kind in line, line


def test_stages_are_measured_on_the_target_beside_each_other(run, data):
    found = tf2gan.Run(run[0]).evaluate()
    (figure,) = found["figures"]
    assert figure["metric"] == "accuracy" and figure["name"] == "accuracy6_target-test"
    assert list(figure["values"]) == ["model", "source_only", "pixels", "untrained"]
    model, right = tf2gan.load(run[0]), 0
    for path in sorted((data[1] / "test").rglob("*.png")):
        right += model.classify([images.read_image(path)])["names"] == [path.parent.name]
    assert figure["values"]["model"] == pytest.approx(right / 6)
    assert "accuracy on target test" in run[1] and "source only" in run[1]


def test_a_network_of_the_targets_own_labels_is_shown_beside(data, tmp_path):
    process = tool.run_here(*arguments(data), "--target-labels", "--run-dir", tmp_path / "run", "--steps", "8")
    assert process.returncode == 0, process.stderr
    assert "target labels" in process.stdout


def test_the_export_is_a_classifier(run, data, tmp_path):
    folder = tf2gan.Run(run[0]).export(tmp_path / "digits")
    card = json.loads((folder / "model_card.json").read_text())
    assert (card["model"], card["classes"], card["target"]) == ("cycada", ["0", "1", "2"], "target")
    assert card["config"]["dataset"] == "source" and card["config"]["target"] == "target"
    text = (folder / "README.md").read_text()
    assert "adapted to `target`, whose labels were not used" in text and str(data[0].parent) not in text
    assert set(tf.saved_model.load(str(folder)).signatures) == {"serving_default", "classify", "classify_bytes"}
    pictures = [images.read_image(path) for path in sorted((data[1] / "test").rglob("*.png"))]
    found, expected = (tf2gan.load(where).classify(pictures) for where in (folder, run[0]))
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-5)
    main = tool.main("classify")
    output = tmp_path / "read.csv"
    main(["--savedmodel", str(folder), "--input", str(data[1] / "test"), "--output", str(output)])
    assert len(output.read_text().splitlines()) == 7
    assert not tf2gan.load(folder).abilities.samples


@pytest.mark.parametrize("flags, words", [
    (["--target", "none"], "--target is needed"), (["--target", "nowhere"], "nowhere"), (["--evaluate-every", "2"], "--evaluate-every 2: the labels of the target"),
    (["--epochs", "2", "--steps", "9"], "give only one of"), (["--steps", "7"], "--steps 7: the stages before"),
    (["--target-labels", "--target", "synthetic_outlines"], "synthetic_outlines"), (["--num-labels", "3"], "num-labels")])
def test_bad_input_is_one_line(data, tmp_path, monkeypatch, flags, words):
    monkeypatch.chdir(tmp_path)
    process = tool.run_here(*arguments(data), *flags)
    assert process.returncode == 2 and words in process.stderr
    lines = [line for line in process.stderr.strip().splitlines() if not re.match("(preparing|checking|reading)", line)]
    assert len(lines) == 1 and not list(tmp_path.iterdir())


def test_data_that_changed_are_refused(run, data, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    moved = [shutil.copytree(each, tmp_path / each.name) for each in data]
    process = tool.run_here("--resume", folder, "--dataset", moved[0], "--target", moved[1], "--steps", "11")
    assert process.returncode == 0, process.stderr
    next((moved[1] / "train").rglob("*.png")).unlink()
    process = tool.run_here("--resume", folder, "--dataset", moved[0], "--target", moved[1], "--steps", "12")
    assert process.returncode == 2 and "the data have changed" in process.stderr
