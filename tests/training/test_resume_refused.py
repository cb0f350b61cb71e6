"""A run with nothing left to do, or that cannot be gone on with: one line that says so, and it stays as it is."""
import json
import os
import pathlib
import shutil

import pytest
import tool

from tf2gan.cli import train
from tf2gan.core.errors import UserError
from tf2gan.core.versions import versions
from tf2gan.runs import run_folder
from tf2gan.runs.restore import load_gan
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan
from tf2gan.training.options import Options


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The folder of a finished run. Not to be changed."""
    return tool.straight_run(tmp_path_factory)[0]


@pytest.fixture
def finished(straight, tmp_path):
    """A copy of it, to be damaged."""
    shutil.copytree(straight, tmp_path / "finished")
    return tmp_path / "finished"


@pytest.fixture(scope="module")
def gan(straight):
    """A GAN for its checkpoints."""
    request, _ = train.parse(["--resume", str(straight)])
    return build_gan(request.gan_class, request.config, 30, make_strategy(Options()))


# Nothing to do.

@pytest.mark.parametrize("more", [
    [], ["--steps", "15"], ["--steps", "4"], ["--images=30"], ["--model", "cyclegan"], ["--preset", "book"],
    ["--seed", "0"], ["--batch-size", "2"], ["--cycle-weight", "10"], ["--generator", "unet"], ["--mirror"]])
def test_a_total_already_reached_and_flags_of_the_run_change_nothing(finished, more):
    before = tool.contents(finished)
    process = tool.run_here("--resume", finished, *more)
    assert process.returncode == 0, process.stderr
    assert str(finished) in process.stdout and "30 images" in process.stdout and "nothing to do" in process.stdout
    assert tool.contents(finished) == before


def test_the_data_set_may_be_named_as_at_the_start(straight, tmp_path_factory, monkeypatch):
    data = tool.shared_images(tmp_path_factory)
    monkeypatch.chdir(data.parent)
    for name in (data, data.name, f"./{data.name}/"):
        process = tool.run_here("--resume", straight, "--dataset", name)
        assert process.returncode == 0, process.stderr


# Refused.

def refused(run_dir, *args):
    """Resumes, which has to fail with one line and leave the folder as it is; returns the line."""
    before = tool.contents(run_dir) if run_dir.exists() else None
    process = tool.run_here("--resume", run_dir, *args)
    assert process.returncode == 2, process.stdout + process.stderr
    assert process.stdout == "" and len(process.stderr.splitlines()) == 1, process.stderr
    assert before == (tool.contents(run_dir) if run_dir.exists() else None)
    return process.stderr


def test_no_run(tmp_path, finished):
    assert "no such run folder" in refused(tmp_path / "nothing")
    assert "config.json" in refused(tmp_path)
    assert "no such run folder" in refused(finished / "config.json")


@pytest.mark.parametrize("flags, words", [
    (["--cycle-weight", "5"], ["--cycle-weight", "5", "10"]),
    (["--generator", "resnet"], ["--generator", "resnet", "unet"]),
    (["--generator-filters", "none"], ["--generator-filters", "4"]),
    (["--seed=1"], ["--seed", "1", "0"]),
    (["--dataset", "synthetic_apple2orange"], ["--dataset", "synthetic_apple2orange", "fruit"]),
    (["--batch-size", "1"], ["--batch-size", "1", "2"]),
    (["--nomirror"], ["mirror", "False", "True"]),
    (["--nolearning-rate-decay"], ["learning-rate-decay", "False", "True"]),
    (["--precision", "bfloat16"], ["--precision", "bfloat16", "float32"]),
    (["--model", "pix2pix"], ["--model", "pix2pix", "cyclegan"]),
    (["--preset", "paper"], ["--preset", "paper", "book"]),
    (["--run-dir", "elsewhere"], ["--run-dir", "--resume"]),
    (["--config", "options.json"], ["--config", "--resume"]),
], ids=lambda value: value[0] if value[0].startswith("--") else "")
def test_a_flag_that_contradicts_the_run(finished, flags, words):
    line = refused(finished, *flags, "--steps", "20")
    for word in words:
        assert word in line


@pytest.fixture
def moved_data(finished, tmp_path, tmp_path_factory):
    """A copy of the data, which the run in `finished` takes for its own."""
    copy = shutil.copytree(tool.shared_images(tmp_path_factory), tmp_path / "fruit")
    record = json.loads((finished / "config.json").read_text())
    record["config"]["dataset"] = str(copy)
    (finished / "config.json").write_text(json.dumps(record))
    return copy


def test_data_of_another_number(finished, moved_data):
    next((moved_data / "trainA").iterdir()).unlink()
    line = refused(finished, "--steps", "20")
    assert "changed" in line and "'trainA': 6" in line and "'trainA': 5" in line


def test_data_of_the_same_number_but_other_files(finished, moved_data):
    shutil.copy(moved_data / "trainB" / "0.png", moved_data / "trainB" / "1.png")
    (moved_data / "trainB" / "1.jpg").unlink()
    line = refused(finished, "--steps", "20")
    assert "changed" in line and "trainB" in line and "trainA" not in line


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 4, len(content), 500):
        content[place] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, pathlib.Path.unlink])
@pytest.mark.parametrize("file", ["state.data-00000-of-00001", "state.index", "info.json"])
def test_a_damaged_checkpoint(finished, gan, file, damage):
    newest = finished / "checkpoints" / "0000000030"
    damage(newest / file)
    before = tool.contents(finished)
    with pytest.raises(UserError) as caught:
        run = run_folder.Run(finished)
        run.restore(gan, run.checkpoints()[-1])
    message = str(caught.value)
    assert "\n" not in message
    assert str(newest) in message and str(finished / "checkpoints" / "0000000024") in message
    assert tool.contents(finished) == before


def test_going_on_from_the_older_checkpoint(finished, gan):
    shutil.rmtree(finished / "checkpoints" / "0000000030")  # as the message says
    run = run_folder.Run(finished)
    run.restore(gan, run.checkpoints()[-1])
    assert gan.images_seen.numpy() == 24


def test_the_only_checkpoint_damaged(finished):
    for older in ("0000000018", "0000000024"):
        shutil.rmtree(finished / "checkpoints" / older)
    truncate(finished / "checkpoints" / "0000000030" / "state.data-00000-of-00001")
    line = refused(finished, "--steps", "20")
    assert "0000000030" in line and "no older" in line


def test_a_checkpoint_that_another_generation_of_keras_wrote(finished):
    file = finished / "checkpoints" / "0000000030" / "info.json"
    info = json.loads(file.read_text())
    assert info["versions"] == versions()
    major, minor = info["versions"]["keras"].split(".", 1)
    info["versions"].update(keras=f"{5 - int(major)}.77.0", tensorflow="2.99.1")
    file.write_text(json.dumps(info))
    line = refused(finished, "--steps", "20")
    with pytest.raises(UserError) as caught:  # what all other tools call
        load_gan(finished)
    assert line == f"train.py: {caught.value}\n"
    for words in (str(file.parent), f"Keras {5 - int(major)}.77.0", "2.99.1", f"Keras {major}.{minor}", "export"):
        assert words in line
    assert "remove" not in line and "older" not in line
    load_gan(finished, "24")


def test_a_checkpoint_of_another_release_of_the_same_keras(finished, gan):
    run = run_folder.Run(finished)
    newest = run.newest()
    major = newest.info["versions"]["keras"].split(".")[0]
    for written in ({"keras": f"{major}.77.0", "tensorflow": "2.99.1"}, {}):  # {}: from before they were kept
        run.restore(gan, run_folder.Checkpoint(newest.path, {**newest.info, "versions": written}))
    assert gan.images_seen.numpy() == 30


def test_a_second_process_at_the_same_time(finished):
    with run_folder.Run(finished).locked():
        line = refused(finished, "--steps", "20")
        assert str(finished) in line and "another process" in line


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", "null", '{"model": "cyclegan", "config": 5}',
                                  '{"model": "cyclegann", "config": {}}', '{"model": ["cyclegan"], "config": {}}'])
def test_config_json_that_is_none(finished, text):
    (finished / "config.json").write_text(text)
    line = refused(finished, "--steps", "20")
    assert "config.json" in line or "cyclegann" in line


@pytest.mark.parametrize("key", ["model", "config", "options", "data"])
def test_config_json_without_a_key(finished, key):
    record = json.loads((finished / "config.json").read_text())
    del record[key]
    (finished / "config.json").write_text(json.dumps(record))
    line = refused(finished, "--steps", "20")
    assert "config.json" in line and key in line


@pytest.mark.parametrize("key", ["dataset", "image_size", "learning_rate", "dropout"])
def test_config_json_without_an_option(finished, key):
    record = json.loads((finished / "config.json").read_text())
    del record["config"][key]
    (finished / "config.json").write_text(json.dumps(record))
    line = refused(finished, "--steps", "20")
    assert "config.json" in line and key in line
