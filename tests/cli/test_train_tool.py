"""tools/train.py from the command line to the run folder, and what it tells without training."""
import dataclasses
import io
import json
import math
import re
import shlex
import sys

import numpy as np
import pytest
import tensorflow as tf
import tool
from PIL import Image

import tf2gan
from tf2gan.cli import train
from tf2gan.core import errors
from tf2gan.gans import cyclegan
from tf2gan.runs.restore import load_gan
from tf2gan.training import job
from tf2gan.training.options import Options

SAMPLED, LOGGED = [0, 5, 10, 15], [2, 4, 6, 8, 10, 12, 14, 15]  # steps, from tool.EVERY; the last step always


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tool.shared_images(tmp_path_factory)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(run folder, process) of tool.STEPS steps."""
    return tool.straight_run(tmp_path_factory)


# What a run leaves.

def test_stdout_says_where_the_results_are(trained):
    folder, process = trained
    assert f"{tool.STEPS * tool.BATCH_SIZE} images" in process.stdout
    for path in (folder, folder / "samples", f"tensorboard --logdir {folder}"):
        assert str(path) in process.stdout


def test_stderr_is_plain_progress_lines_and_nothing_else(trained):
    folder, process = trained
    number = r"[0-9]+\.[0-9]+"
    lines = process.stderr.splitlines()
    *data, training, run = lines[:6]
    assert [line.split(": ")[2] for line in data] == ["trainA", "trainB", "testA", "testB"] and run == (
        f"run folder: {folder}")
    assert training.startswith(f"training: 32x32 pixels, batch size {tool.BATCH_SIZE}, {tool.STEPS} steps, ")
    steps = [line for line in lines[6:] if not line.startswith(("time: ", "samples after "))]
    # At most one in ten seconds, and the last.
    shown = [int(line.split()[1].split("/")[0]) for line in steps]
    assert shown[0] == LOGGED[0] and shown[-1] == LOGGED[-1] and set(shown) <= set(LOGGED)
    for line, step in zip(steps, shown):
        assert re.fullmatch(rf"step {step}/{tool.STEPS} images {step * tool.BATCH_SIZE} generator_loss={number} "
                            rf"discriminator_loss={number} {number} img/s ETA \d\d:\d\d:\d\d", line), line
    assert "\r" not in process.stderr and "\x1b" not in process.stderr


def test_config_json_tells_all_that_the_numbers_depend_on(trained, data):
    folder, _ = trained
    record = json.loads((folder / "config.json").read_text())
    assert record["model"] == "cyclegan" and record["preset"] == "book"
    assert record["config"] == {**dataclasses.asdict(cyclegan.CycleGAN.presets["book"]), "dataset": str(data), "image_size": "32",
                                "batch_size": 2, "generator_filters": 4, "discriminator_filters": 4, "dropout": 0.5,
                                "pool_size": 3, "learning_rate_decay": True, "steps": tool.STEPS, "epochs": None}
    assert record["options"] == {**dataclasses.asdict(Options()), "run_dir": str(folder),
                                 "deterministic": True, "log_every": 2, "checkpoint_every": 3, "sample_every": 5}
    assert record["versions"]["tf2gan"] == tf2gan.__version__
    assert record["versions"]["tensorflow"] == tf.__version__
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record["data"] == tool.NUM_IMAGES
    assert shlex.split(record["command"])[:3] == ["tools/train.py", "--model", "cyclegan"]
    assert shlex.split(record["command"])[-2:] == ["--run-dir", str(folder)]


def test_metrics_are_one_finite_object_a_log(trained):
    lines = tool.metrics(trained[0])
    assert [line["step"] for line in lines] == LOGGED
    assert [line["images"] for line in lines] == [step * tool.BATCH_SIZE for step in LOGGED]
    scalars = {"adversarial_xy", "adversarial_yx", "cycle_x", "cycle_y", "identity_x", "identity_y", "generator_loss",
               "discriminator_loss"}
    for line in lines:
        assert scalars <= line.keys() == lines[0].keys()
        assert all(math.isfinite(value) for value in line.values())
        parts = line["adversarial_xy"] + line["adversarial_yx"] + 10 * (line["cycle_x"] + line["cycle_y"]) \
            + 9 * (line["identity_x"] + line["identity_y"])
        assert line["generator_loss"] == pytest.approx(parts, rel=1e-5)
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert len({line["generator_loss"] for line in lines}) == len(lines)


def test_sample_grids_are_pngs_of_both_directions(trained):
    folder, _ = trained
    pictures = tool.samples(folder)
    assert sorted(pictures) == [f"{step * tool.BATCH_SIZE:010d}.png" for step in SAMPLED]
    shapes, previous = set(), None
    for name in sorted(pictures):
        image = Image.open(io.BytesIO(pictures[name]))
        assert image.format == "PNG" and image.mode == "RGB"
        pixels = np.asarray(image)
        shapes.add(pixels.shape)
        assert previous is None or (pixels != previous).any(), f"{name} shows what the one before it does"
        previous = pixels
    (height, width, _), = shapes
    rows, gap = tool.NUM_IMAGES["testA"], 2  # fewer than --num-samples are there
    size = 2 * 32  # images this small are enlarged, for people
    assert width == 4 * size + 3 * gap
    grid = rows * size + (rows - 1) * gap
    titles = (height - 8 - 2 * grid) // 2
    assert 10 < titles < 40 and height == 2 * (titles + grid) + 8
    for top in (0, titles + grid + 8):
        assert (pixels[top:top + titles] < 128).any(axis=(0, 2)).sum() > 20, "no letters in the titles"
        cells = pixels[top + titles:top + titles + grid]
        for row in range(rows):
            for column in range(4):
                y, x = row * (size + gap), column * (size + gap)
                assert cells[y:y + size, x:x + size].std() > 1, (row, column)
        assert (cells[:, size:size + gap] == 255).all(), "no white gap between the columns"


def test_the_first_column_of_samples_is_the_held_out_image_itself(trained, data):
    pixels = np.asarray(Image.open(trained[0] / "samples" / "0000000000.png"))
    from tf2gan.data import folders, pipeline
    paths = folders.unpaired_splits(data)["testB"]
    image = tf.constant(np.asarray(Image.open(paths[-1]).convert("RGB")))
    expected = np.rint((pipeline.crop_and_mirror(image, None, 32, 32).numpy() + 1) * 127.5)
    enlarged = pixels[-64:, :64].astype(int)
    np.testing.assert_allclose(enlarged[::2, ::2], expected, atol=1)
    np.testing.assert_array_equal(enlarged[1::2, 1::2], enlarged[::2, ::2])


def test_the_last_three_checkpoints_are_kept(trained):
    assert tool.checkpoints(trained[0]) == [9, 12, 15]
    assert not list((trained[0] / "checkpoints").glob(".*"))
    info = json.loads((trained[0] / "checkpoints" / "0000000030" / "info.json").read_text())
    assert info["images"] == 30 and info["step"] == 15 and info["replicas"] == 1


def test_a_checkpoint_holds_weights_optimizers_averages_pools_and_clock(trained):
    tensors = tool.tensors(trained[0])
    # An optimizer has two slots for each weight: 30 in a generator, 16 in a discriminator, two of each.
    least = {"generator_optimizer": 120, "discriminator_optimizer": 64, "pool_x/images": 1, "pool_x/count": 1,
             "pool_y/images": 1, "pool_y/count": 1}
    for part, num in least.items():
        held = [value for name, value in tensors.items() if name.startswith(f"gan/{part}")]
        assert len(held) >= num, part
        assert all(np.isfinite(value).all() for value in held) and any(value.any() for value in held), part
    clock, = [value for name, value in tensors.items() if "gan/images_seen/" in name]
    assert clock == tool.STEPS * tool.BATCH_SIZE
    # A weight that was not saved would have its initial value here, which is nowhere in the checkpoint.
    saved = {value.tobytes() for value in tensors.values()}
    gan, _ = load_gan(trained[0])
    networks = [*(network for network, _ in gan.networks.values()), gan.average_xy, gan.average_yx]
    assert len(networks) == 6
    for network in networks:
        lost = [weight.name for weight in network.variables if weight.numpy().tobytes() not in saved]
        assert not lost, f"{network.name}: {len(lost)} of {len(network.variables)} weights were not saved: {lost[:3]}"


def test_tensorboard_reads_scalars_and_samples(trained):
    folder, _ = trained
    scalars, pictures = {}, {}
    for path in folder.glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "images":
                    pictures[event.step] = value.tensor.string_val[2]
                else:
                    scalars.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    assert sorted(pictures) == [step * tool.BATCH_SIZE for step in SAMPLED]
    for step, picture in pictures.items():
        expected = np.asarray(Image.open(folder / "samples" / f"{step:010d}.png"))
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")), expected)
    for line in tool.metrics(folder):
        for name in ("generator_loss", "discriminator_loss", "cycle_x"):
            assert scalars[name][line["images"]] == pytest.approx(line[name])


# What it tells without training.

def test_list_names_methods_presets_and_built_in_data():
    process = tool.run("--list")
    assert process.returncode == 0 and process.stderr == ""
    for word in ("cyclegan", "default", "book", "paper", "synthetic_apple2orange", "trainA"):
        assert word in process.stdout
    assert tool.run_here("--list", "--model", "cyclegan").stdout == process.stdout


def test_version():
    process = tool.run_here("--version")
    assert process.returncode == 0 and process.stdout.strip() == f"tf2gan {tf2gan.__version__}"


@pytest.mark.parametrize("preset", cyclegan.CycleGAN.presets)
def test_help_has_a_line_and_the_default_of_each_option(preset):
    process = tool.run_here("--help", "--model", "cyclegan", "--preset", preset)
    assert process.returncode == 0 and process.stderr == ""
    for defaults in (train.Arguments(), Options(), cyclegan.CycleGAN.presets[preset]):
        for field in dataclasses.fields(defaults):
            flag = errors.flag(field.name)
            line, = [line for line in process.stdout.splitlines() if re.match(rf" +{flag}\b(?!-)", line)]
            text, default = re.match(r" +--\S+.*? {2,}(\S.*) \(default: (.*)\)$", line).groups()
            assert len(text) > 6, line
            value = str(getattr(defaults, field.name))
            assert default == {"None": "none", "True": "on", "False": "off"}.get(value, value), line


def test_help_without_a_model_tells_the_general_options():
    process = tool.run_here("--help")
    assert process.returncode == 0
    assert "--resume" in process.stdout and "--cycle-weight" not in process.stdout


@pytest.mark.parametrize("flags", [
    (),
    ("--preset", "paper", "--ema-decay", "none", "--images", "1000", "--seed", "4294967295"),
    ("--steps", "7", "--image-size", "32x48", "--learning-rate", "1e-05", "--nomirror", "--generator-filters", "8",
     "--deterministic", "--sample-every", "0", "--replicas", "2", "--data-dir", "a folder", "--pool-size", "0"),
], ids=["defaults", "preset", "flags"])
def test_config_takes_back_what_print_config_says(tmp_path, data, flags):
    printed = tool.run_here("--model", "cyclegan", "--dataset", data, "--print-config", *flags)
    assert printed.returncode == 0, printed.stderr
    record = json.loads(printed.stdout)
    assert record["config"]["dataset"] == str(data)
    file = tmp_path / "config.json"
    file.write_text(printed.stdout)
    again = tool.run_here("--config", file, "--print-config")
    assert again.returncode == 0 and again.stdout == printed.stdout


def test_config_of_a_run_starts_another_one_like_it_elsewhere(trained):
    printed = tool.run_here("--config", trained[0] / "config.json", "--print-config")
    record, original = json.loads(printed.stdout), json.loads((trained[0] / "config.json").read_text())
    assert record["config"] == original["config"]
    assert record["options"] == {**original["options"], "run_dir": None}


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"model": "cyclegan", "preset": "paper", "cycle_weight": 3.0, "batch_size": 4,
                                "identity_weight": 0.5, "log_every": 9, "mirror": False}))
    request, _ = train.parse(["--config", str(file), "--batch-size", "2", "--identity-weight=0.25"])
    assert request.preset == "paper"
    assert request.config == dataclasses.replace(cyclegan.CycleGAN.presets["paper"], cycle_weight=3.0, batch_size=2,
                                                 identity_weight=0.25, mirror=False)
    assert request.options == Options(log_every=9)


@pytest.mark.parametrize("there", [{"preset": "paper"}, {"epochs": 7}, {"images": 90}])
def test_steps_on_the_command_line_replace_the_length_of_file_and_preset(tmp_path, there):
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"model": "cyclegan", **there}))
    config = train.parse(["--config", str(file), "--steps", "5"])[0].config
    assert (config.steps, config.images, config.epochs) == (5, None, None)


def test_dry_run_tells_what_would_be_and_writes_nothing(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    before = tool.contents(data)
    process = tool.run_here(*tool.SMALL, "--dataset", data, "--dry-run", "--steps", 21, "--batch-size", 2)
    assert process.returncode == 0, process.stderr
    assert not list(tmp_path.iterdir()) and tool.contents(data) == before
    for words in ('"image_size": "32"', "trainA 6", "trainB 7", "21 steps", "42 images", "6.00 epochs",
                  "generator_xy (UNet)", "discriminator_y (PatchGAN)", "MiB"):
        assert words in process.stdout
    # The first convolution of a discriminator: 4 filters of 4x4x3 and 4 offsets, at half of 32 pixels.
    assert re.search(r"conv_0\s+Conv2D\s+16x16x4\s+196\b", process.stdout)


def test_runs_are_numbered(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job._Job, "_train", lambda *args: job.Outcome("not trained"))
    monkeypatch.setattr(job, "build_gan", lambda *args: None)
    for expected in ("cyclegan-fruit-001", "cyclegan-fruit-002"):
        assert tool.run_here(*tool.SMALL, "--dataset", data, "--steps", 1).returncode == 0
        assert (tmp_path / "runs" / expected / "config.json").exists()
    (tmp_path / "runs" / "cyclegan-fruit-001").rename(tmp_path / "runs" / "cyclegan-fruit-041")
    (tmp_path / "runs" / "cyclegan-nuts-077").mkdir()
    assert tool.run_here(*tool.SMALL, "--dataset", data, "--steps", 1).returncode == 0
    assert (tmp_path / "runs" / "cyclegan-fruit-042" / "config.json").exists()
