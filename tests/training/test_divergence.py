"""Numbers that are no longer finite end a run with one line, and leave the last good checkpoint."""
import re

import numpy as np
import pytest
import tool

from tf2gan.runs.restore import load_gan


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    """(folder, process) of a run whose rate is far too large."""
    folder = tmp_path_factory.mktemp("diverged") / "run"
    return folder, tool.run(*tool.SMALL, "--dataset", tool.shared_images(tmp_path_factory), "--optimizer", "sgd",
                            "--learning-rate", "1e30", "--steps", 30, "--checkpoint-every", 1, "--log-every", 1,
                            "--sample-every", 0, "--run-dir", folder)


def test_it_is_a_failure_and_one_line(diverged):
    folder, process = diverged
    assert process.returncode == 1
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    before, after = process.stderr.split(f"run folder: {folder}\n")
    *progress, last = after.splitlines()
    assert all(line.startswith(("data: ", "training: ")) for line in before.splitlines())
    assert all(line.startswith("step ") for line in progress)
    assert last.startswith("train.py: ") and "diverged" in last


def test_the_line_names_the_first_quantity_and_the_last_good_checkpoint(diverged):
    folder, process = diverged
    line = process.stderr.splitlines()[-1]
    found = re.search(r"(\w+) became (nan|-?inf) at step (\d+)", line)
    assert found, line
    # The adversarial terms come first, and are the first to see what the discriminators make of broken images.
    assert found.group(1) in tool.metrics(folder)[0] and not found.group(1).endswith("_loss")
    step = int(found.group(3))
    assert step == tool.metrics(folder)[-1]["step"] + 1, "the broken step was logged, or a good one was not"
    newest = max((folder / "checkpoints").glob("[0-9]*"))
    assert str(newest) in line
    assert int(newest.name) <= step - 1, "a broken step was saved"


def test_the_checkpoint_that_is_left_is_whole(diverged):
    folder, _ = diverged
    tensors = tool.tensors(folder)
    assert not [name for name, value in tensors.items() if not np.isfinite(value).all()]
    gan, record = load_gan(folder)
    assert gan.images_seen.numpy() == record["checkpoint"]["images"] == tool.metrics(folder)[-1]["images"]


def test_weights_that_are_not_finite_are_not_saved(tmp_path, tmp_path_factory):
    """A step whose losses are finite can leave weights that are not; the next step would tell, but after the save."""
    folder = tmp_path / "run"
    process = tool.run(*tool.SMALL, "--dataset", tool.shared_images(tmp_path_factory), "--steps", 6,
                       "--checkpoint-every", 2, "--log-every", 1, "--sample-every", 0, "--run-dir", folder,
                       sabotage="poison:4")
    assert process.returncode == 1
    newest = max((folder / "checkpoints").glob("[0-9]*"))
    assert newest.name == "0000000002"
    assert process.stderr.splitlines()[-1].startswith("train.py: ") and str(newest) in process.stderr.splitlines()[-1]
    gan, _ = load_gan(folder)
    assert np.isfinite(gan.generate(np.zeros([1, 32, 32, 3], np.float32)).numpy()).all()
