"""tools/train.py for the GANs that make images from noise: their names, defaults, logs, samples and data."""
import dataclasses
import io
import json
import math
import re

import numpy as np
import pytest
import tool
from PIL import Image

from tf2gan.cli import train
from tf2gan.core import errors
from tf2gan.data import load
from tf2gan.gans import GANS
from tf2gan.runs.restore import load_gan
from tf2gan.training import job
from tf2gan.training.options import Options

STEPS = 6
EVERY = ("--steps", str(STEPS), "--log-every", "2", "--sample-every", "3")
CELL, GAP = 56, 2  # of a sample grid: 28 pixels are shown twice as large


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tool.shared_class_images(tmp_path_factory)


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A folder of nine grey images of 28x28."""
    folder = tmp_path_factory.mktemp("data") / "flat"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for i in range(9):
        Image.fromarray(rng.integers(0, 256, [28, 28], np.uint8)).save(folder / f"{i}.png")
    return folder


def finished(*args):
    process = tool.run_here(*args)
    assert process.returncode == 0, process.stderr
    return process


def printed(*args):
    """What --print-config says, options of the method and of the run together."""
    record = json.loads(finished(*args, "--print-config").stdout)
    return {"model": record["model"], "preset": record["preset"], **record["config"], **record["options"]}


# Names and defaults.

def test_list_names_every_method_preset_and_built_in_set():
    out = finished("--list").stdout
    for name, gan_class in GANS.items():
        assert re.search(rf"^  {name} +\S.*\n +presets: {', '.join(gan_class.presets)}$", out, re.MULTILINE), name
    for name in load.BUILT_IN:
        assert f"\n  {name}\n" in out
    assert max(map(len, out.splitlines())) <= 132


def test_a_preset_that_begins_with_its_models_name_is_a_model():
    assert set(tool.NOISE_PRESETS) < set(GANS.names())
    for name in tool.NOISE_PRESETS:
        model, preset = GANS.names()[name]
        assert preset == name
        assert printed("--model", name) == printed("--model", model, "--preset", preset)
        assert printed("--model", name, "--preset", name)["model"] == model


MNIST = {"dataset": "mnist", "latent_size": 100, "latent_distribution": "normal", "loss": "non-saturating",
         "real_label": 1.0, "fake_label": 0.0, "n_critic": 1, "penalty": None, "weight_clip": None,
         "generator_optimizer": "adam", "discriminator_optimizer": "adam", "ema_decay": 0.999, "soft_labels": False,
         "label_flips": 0.0, "instance_noise": 0.0, "pretrain_images": 0, "generator_dropout": 0.0,
         "learning_rate_decay": False, "gradient_clip": None, "image_size": None, "channels": None}


def rates(value):
    return {"generator_learning_rate": value, "discriminator_learning_rate": value}


DCGAN = {**MNIST, **rates(2e-4), "beta_1": 0.5, "half_batches": True, "batches": "separate",
         "discriminator_dropout": 0.25, "discriminator_normalization": "batch", "networks": "upsampling",
         "sample_every": 50, "num_samples": 25}
WGAN = {**DCGAN, **rates(5e-5), "loss": "wasserstein", "weight_clip": 0.01, "n_critic": 5, "half_batches": False,
        "generator_optimizer": "rmsprop", "discriminator_optimizer": "rmsprop", "discriminator_dropout": 0.0,
        "sample_every": 100}
PROGAN = {**MNIST, **rates(1e-3), "dataset": "mnist@32", "latent_size": 512, "loss": "wasserstein",
          "penalty": "wgan-gp", "penalty_weight": 10.0, "penalty_target": 1.0, "drift_weight": 0.001, "beta_1": 0.0,
          "beta_2": 0.99, "batch_size": 16, "batch_sizes": "256:14,512:6,1024:3", "feature_base": 8192,
          "feature_max": 512, "group_size": 4, "images": 19_000_000, "steps": None, "fade_images": "800000",
          "stable_images": "800000", "half_batches": False, "discriminator_dropout": 0.0}
SPECIFICATION = {  # the numbers of the papers, and of the experiments that the presets are named after
    "gan": {**MNIST, **rates(1e-3), "batch_size": 128, "steps": 20_000, "epochs": None, "generator_widths": "128",
            "discriminator_widths": "128", "leaky_slope": 0.01, "discriminator_loss_weight": 0.5, "sample_every": 1000,
            "num_samples": 16, "discriminator_dropout": 0.0},
    "gan-smooth": {**MNIST, **rates(2e-3), "batch_size": 100, "steps": None, "epochs": 100, "real_label": 0.9,
                   "latent_distribution": "uniform", "generator_widths": "128", "discriminator_widths": "128",
                   "leaky_slope": 0.01, "discriminator_loss_weight": 1.0, "sample_every": 60_000 // 100,
                   "num_samples": 16},
    "gan-deep": {**MNIST, "generator_learning_rate": 1e-5, "discriminator_learning_rate": 0.01, "batch_size": 100,
                 "discriminator_optimizer": "sgd", "steps": None, "epochs": 400, "latent_size": 256,
                 "latent_distribution": "uniform", "real_label": 0.9, "fake_label": 0.1, "batches": "joint",
                 "generator_widths": "256,512,1024", "discriminator_widths": "256", "leaky_slope": 0.3,
                 "discriminator_dropout": 0.3},
    "dcgan": DCGAN,
    "dcgan-transpose": {**DCGAN, "dataset": "svhn_cropped", "networks": "transposed", "discriminator_dropout": 0.5},
    "cgan --preset book": {**MNIST, **rates(1e-3), "batch_size": 32, "steps": 12_000, "num_classes": None,
                           "generator_filters": 64, "discriminator_filters": 64, "beta_1": 0.9,
                           "generator_condition": "product", "discriminator_condition": "plane",
                           "discriminator_normalization": "batch"},
    "wgan": WGAN,
    "wgan-gp": {**WGAN, **rates(1e-4), "weight_clip": None, "penalty": "wgan-gp", "penalty_weight": 10.0,
                "generator_optimizer": "adam", "discriminator_optimizer": "adam", "beta_1": 0.0, "beta_2": 0.9,
                "discriminator_normalization": "layer"},
    "sgan-book": {**MNIST, **rates(1e-3), "batch_size": 32, "steps": 8_000, "epochs": None, "num_labels": 100,
                  "generator": "strided", "generator_filters": None, "discriminator": "strided",
                  "discriminator_filters": None, "discriminator_normalization": "batch", "discriminator_dropout": 0.5,
                  "fake_class": False, "generator_objective": "adversarial", "updates": "separate", "beta_1": 0.9,
                  "ema_decay": None, "classifier_ema_decay": None, "epoch_decay": None, "exclude_labelled": False,
                  "baseline": False, "fully_supervised": False},
    "progan": PROGAN,
    "progan-cifar10": {**PROGAN, "dataset": "cifar10", "latent_size": 128, "feature_base": 4096, "feature_max": 128,
                       "penalty_target": 750.0, "images": 20_000_000, "fade_images": "400000",
                       "stable_images": "400000"},
    "sgan-features": {**MNIST, "dataset": "svhn_cropped", "num_labels": 1000, "generator": "transposed",
                      "generator_filters": None, "discriminator": "house-numbers", "discriminator_filters": None,
                      "discriminator_normalization": "batch", "discriminator_dropout": 0.5, "fake_class": True,
                      "generator_objective": "l1-features", "updates": "joint", "labelled_loss_weight": 1.0,
                      "beta_1": 0.5, "epoch_decay": 0.9, "steps": None, "classes": None},
}


@pytest.mark.parametrize("model", SPECIFICATION)
def test_defaults_are_those_of_the_specification(model):
    values = printed("--model", *model.split())
    assert {name: values[name] for name in SPECIFICATION[model]} == SPECIFICATION[model]


@pytest.mark.parametrize("preset", tool.NOISE_PRESETS)
def test_help_has_a_line_and_the_presets_default_of_each_option(preset):
    out = finished("--help", "--model", preset).stdout
    gan_class = GANS[GANS.names()[preset][0]]
    options = Options(**gan_class.preset_options[preset])
    for defaults in (train.Arguments(), options, gan_class.presets[preset]):
        for field in dataclasses.fields(defaults):
            flag = errors.flag(field.name)
            line, = [line for line in out.splitlines() if re.match(rf" +{flag}\b(?!-)", line)]
            text, default = re.match(r" +--\S+.*? {2,}(\S.*) \(default: (.*)\)$", line).groups()
            value = str(getattr(defaults, field.name))
            assert len(text) > 6 and default == {"None": "none", "True": "on", "False": "off"}.get(value, value), line


@pytest.mark.parametrize("preset", tool.NOISE_PRESETS)
def test_config_takes_back_what_print_config_says(tmp_path, data, preset):
    flags = ["--steps", 7, "--sample-every", 3, "--ema-decay", "none", "--gradient-clip", "0.5", "--mirror"]
    for more in ([], flags):
        first = finished("--model", preset, "--dataset", data, *more, "--print-config").stdout
        (tmp_path / "config.json").write_text(first)
        assert finished("--config", tmp_path / "config.json", "--print-config").stdout == first


def test_config_may_name_a_preset_as_its_model(tmp_path, data):
    (tmp_path / "config.json").write_text(json.dumps({"model": "gan-deep", "dataset": str(data), "steps": 5}))
    resolved = json.loads(finished("--config", tmp_path / "config.json", "--print-config").stdout)
    assert (resolved["model"], resolved["preset"]) == ("gan", "gan-deep")
    assert resolved["config"]["latent_size"] == 256 and resolved["config"]["steps"] == 5


def test_runs_are_named_after_what_was_asked_for(tmp_path, monkeypatch, flat):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job._Job, "_train", lambda *args: job.Outcome("not trained"))
    for names, expected in ((["gan"], "gan-flat-001"), (["gan-deep"], "gan-deep-flat-001"),
                            (["gan", "--preset", "gan-deep"], "gan-deep-flat-002"), (["gan"], "gan-flat-002"),
                            (["wgan-gp"], "wgan-gp-flat-001"), (["wgan"], "wgan-flat-001")):
        small = ["--batch-size", 4] + ["--generator-filters", 4, "--discriminator-filters", 4] * ("wgan" in names[0])
        finished("--model", *names, "--dataset", flat, *small)
        assert (tmp_path / "runs" / expected / "config.json").exists(), expected


# A dry run.

def dry_run(*args):
    return finished(*args, "--dry-run").stdout


def test_dry_run_of_gan_deep_shows_its_layers_and_its_known_number_of_parameters(tmp_path, monkeypatch, flat):
    monkeypatch.chdir(tmp_path)
    out = dry_run("--model", "gan-deep", "--dataset", flat, "--batch-size", 4)
    assert not list(tmp_path.iterdir())
    layers = re.findall(r"^(?:  )?(\S+) +\(?(\w+)\)?:? +(\S*) +([\d,]+)(?: parameters)?$", out, re.MULTILINE)
    rows = [(name, number) for name, _, _, number in layers if number != "0"]
    assert ("generator (MLPGenerator): 1,526,288 parameters" in out
            and "discriminator (MLPDiscriminator): 201,217 parameters" in out)
    assert [row for row in rows if row[0].startswith(("dense", "to_"))] == [
        ("dense_0", "65,792"), ("dense_1", "131,584"), ("dense_2", "525,312"), ("to_pixels", "803,600"),
        ("dense_0", "200,960"), ("to_logit", "257")]
    assert re.search(r"to_image +Reshape +28x28x1 ", out)
    assert "train 9" in out and "900 steps, 3600 images" in out and "400.00 epochs" in out and "MiB" in out


@pytest.mark.parametrize("preset", tool.NOISE_PRESETS)
def test_dry_run_of_every_preset(data, preset):
    out = dry_run(*tool.small(preset), "--dataset", data, "--steps", 11, *["--n-critic", 2] * preset.startswith("w"))
    num = {"dcgan": 22, "dcgan-transpose": 22, "wgan": 88, "wgan-gp": 88}.get(preset, 44)
    assert f"11 steps, {num} images" in out and f"{num / 11:.2f} epochs" in out
    for network in ("generator", "discriminator"):
        total, table = re.search(rf"^{network} \(\w+\): ([\d,]+) parameters\n((?:  .*\n)+)", out, re.MULTILINE).groups()
        numbers = {line.split()[0]: int(line.split()[-1].replace(",", "")) for line in table.splitlines()}
        assert sum(numbers.values()) == int(total.replace(",", "")) > 0  # a layer that is used again counts once
    assert ("LayerNormalization" in out) == (preset == "wgan-gp")


@pytest.mark.parametrize("flags, channels", [([], 3), (["--channels", "1"], 1), (["--channels", "3"], 3)])
def test_channels_of_colour_and_mixed_data(data, flags, channels):
    assert f"28x28x{channels} " in dry_run(*tool.small("gan"), "--dataset", data, *flags, "--steps", 1)


@pytest.mark.parametrize("flags, channels", [([], 1), (["--channels", "3"], 3)])
def test_channels_of_grey_data(flat, flags, channels):
    args = [*tool.small("gan"), "--image-size", "none", "--dataset", flat, *flags, "--steps", 1]
    assert re.search(rf"to_image +Reshape +28x28x{channels} ", dry_run(*args))


# What training leaves.

@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    """(folder, process) of a run of cgan, on images of mixed sizes in folders of classes."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    return folder, finished(*tool.small("cgan"), *EVERY, "--dataset", data, "--num-samples", 3, "--run-dir", folder)


def test_metrics_have_losses_accuracies_and_diversity(trained):
    lines = tool.metrics(trained[0])
    assert [(line["step"], line["images"], line["epoch"]) for line in lines] == [
        (step, 4 * step, round(4 * step / 11, 4)) for step in (2, 4, 6)]
    for line in lines:
        assert line.keys() == {"step", "images", "epoch", "seconds", "images_per_second", "discriminator_loss",
                               "generator_loss", "real_accuracy", "fake_accuracy", "diversity"}
        assert all(math.isfinite(value) for value in line.values())
        # Of two steps of four images each.
        assert line["real_accuracy"] * 8 % 1 == line["fake_accuracy"] * 8 % 1 == 0
        assert 0 <= line["real_accuracy"] <= 1 and 0 <= line["fake_accuracy"] <= 1 and line["diversity"] > 0
    assert len({line["generator_loss"] for line in lines}) == 3


def test_progress_lines_tell_losses_and_accuracies(trained):
    folder, process = trained
    assert f"run folder: {folder}\n" in process.stderr
    lines = [line for line in process.stderr.splitlines() if line.startswith("step ")]
    logged = {values["step"]: values for values in tool.metrics(folder)}
    assert len(logged) == 3 and len(lines) >= 2  # the first and the last, and others where ten seconds have passed
    for line in lines:
        values = logged[int(re.match(r"step (\d+)", line).group(1))]
        told = re.match(r"step (\d)/6 images (\d+) discriminator_loss=(\S+) generator_loss=(\S+) "
                        r"D right about real (\d+) % fake (\d+) % \S+ img/s ETA \d\d:\d\d:\d\d$", line)
        assert told, line
        names = ("step", "images", "discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy")
        scales = (1, 1, 1, 1, 100, 100)
        for text, name, scale in zip(told.groups(), names, scales):
            assert float(text) == pytest.approx(scale * values[name], abs=0.51 if scale == 100 else 6e-5)


def test_the_confusion_matrix_adds_up(trained):
    folder, process = trained
    rows = re.findall(r"^  (real|generated) images +([\d.]+)% +([\d.]+)%   (\w+ \w+), (\w+ \w+)$", process.stdout,
                      re.MULTILINE)
    assert [(row[0], row[3], row[4]) for row in rows] == [("real", "true positives", "false negatives"),
                                                          ("generated", "false positives", "true negatives")]
    last = tool.metrics(folder)[-1]
    for row in rows:
        assert float(row[1]) + float(row[2]) == pytest.approx(100)
    assert float(rows[0][1]) == pytest.approx(100 * last["real_accuracy"], abs=0.051)
    assert float(rows[1][2]) == pytest.approx(100 * last["fake_accuracy"], abs=0.051)


def test_sample_grids_of_classes_have_a_row_and_a_title_for_each(trained):
    folder, _ = trained
    pictures = tool.samples(folder)
    assert sorted(pictures) == [f"{4 * step:010d}.png" for step in (0, 3, 6)]
    assert len(set(pictures.values())) == 3
    pixels = np.asarray(Image.open(io.BytesIO(pictures["0000000024.png"])))
    rows, columns = len(tool.NUM_CLASS_IMAGES), 3
    height, width, _ = pixels.shape
    left = width - (columns * CELL + (columns - 1) * GAP)
    assert height == rows * CELL + (rows - 1) * GAP and left > 20
    titles = [pixels[row * (CELL + GAP):][:CELL, :left].min(axis=-1) < 128 for row in range(rows)]
    assert all(title.sum() > 20 for title in titles) and (titles[0] != titles[1]).any()
    cells = [pixels[row * (CELL + GAP):][:CELL, left + column * (CELL + GAP):][:, :CELL]
             for row in range(rows) for column in range(columns)]
    for cell in cells:
        assert (cell[::2, ::2] == cell[1::2, 1::2]).all(), "not enlarged twice"
    assert len({cell.tobytes() for cell in cells}) == rows * columns
    gan, record = load_gan(folder)
    assert record["class_names"] == gan.class_names == ["apples", "nuts"]
    # A column has one latent, a row one class.
    images = np.asarray(gan.generate(np.repeat(gan.latents(3, seed=0).numpy()[None], 2, 0).reshape([6, 5]),
                                     np.array([0, 0, 0, 1, 1, 1])))
    for cell, image in zip(cells, images):
        np.testing.assert_allclose(cell[::2, ::2].astype(int), np.rint((image + 1) * 127.5), atol=1)


def test_tensorboard_has_the_scalars(trained):
    scalars = tool.scalars(trained[0])
    for line in tool.metrics(trained[0]):
        for name in ("discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy", "diversity"):
            assert scalars[name][line["images"]] == pytest.approx(line[name])


def test_samples_are_of_the_same_latents_at_all_times(tmp_path, flat):
    """Of a generator that learns nothing they are always the same, and the last place of 4 is left black for 3."""
    still = tmp_path / "still"
    args = [*tool.small("gan"), *EVERY, "--dataset", flat, "--num-samples", 3]
    finished(*args, "--generator-learning-rate", 0, "--run-dir", still)
    pictures = tool.samples(still)
    assert len(pictures) == 3 and len(set(pictures.values())) == 1
    pixels = np.asarray(Image.open(io.BytesIO(pictures["0000000000.png"])))
    assert pixels.shape == (2 * CELL + GAP, 2 * CELL + GAP, 3) and (pixels[..., :1] == pixels).all()
    assert (pixels[-CELL:, -CELL:] == 0).all()
    assert len({pixels[y:y + CELL, x:x + CELL].tobytes() for y in (0, CELL + GAP) for x in (0, CELL + GAP)}) == 4
    assert len({line["discriminator_loss"] for line in tool.metrics(still)}) == 3


def test_grey_images_trained_in_colour_and_a_title_of_no_class(tmp_path, flat):
    finished(*tool.small("dcgan"), *EVERY, "--dataset", flat, "--channels", 3, "--num-samples", 1, "--run-dir",
             tmp_path / "run")
    pixels = np.asarray(Image.open(tmp_path / "run" / "samples" / "0000000012.png"))
    assert pixels.shape == (CELL, CELL, 3) and (pixels[..., 0] != pixels[..., 1]).any()


def test_a_critic_logs_its_distance_and_counts_all_real_images(tmp_path, data):
    folder = tmp_path / "run"
    process = finished(*tool.small("wgan"), "--n-critic", 3, "--dataset", data, "--steps", 3, "--log-every", 1,
                       "--sample-every", 0, "--run-dir", folder)
    lines = tool.metrics(folder)
    assert [(line["step"], line["images"]) for line in lines] == [(1, 12), (2, 24), (3, 36)]
    for line in lines:
        assert line["critic_distance"] == pytest.approx(-line["discriminator_loss"], abs=1e-6)
        assert "real_accuracy" not in line and "diversity" in line
    assert "critic_distance=" in process.stderr and "D right" not in process.stderr
    assert "for real" not in process.stdout and "36 images" in process.stdout
    gan, _ = load_gan(folder)
    assert all(np.abs(weight.numpy()).max() <= 0.01 for weight in gan.discriminator.trainable_variables)
    assert not list((folder / "samples").glob("*")) and (folder / "checkpoints" / "0000000036").exists()


def test_penalties_are_logged_beside_the_loss_without_them(tmp_path, flat):
    folder = tmp_path / "run"
    finished(*tool.small("gan"), "--dataset", flat, "--steps", 2, "--log-every", 1, "--penalty", "r1", "--sample-every",
             0, "--run-dir", folder)
    assert all(line["penalty"] > 0 and 0 < line["discriminator_loss"] < 3 for line in tool.metrics(folder))
