"""What every training does, each once, on a GAN of one variable: resume, interruption, early stop, logs, export."""
import json
import os
import signal

import numpy as np
import pytest
import tensorflow as tf
import tiny
import tool

import tf2gan
from tf2gan.evaluation import during_training
from tf2gan.metrics.values import Figure
from tf2gan.runs import run_folder


@pytest.fixture
def data():
    with tiny.registered() as name:
        yield name


@pytest.fixture
def straight(data, tmp_path):
    """A run without interruption."""
    return finished("--model", "tiny", "--dataset", data, "--run-dir", tmp_path / "straight")


def finished(*args):
    process = tool.run_here(*args)
    assert process.returncode == 0, process.stderr
    folder = args[args.index("--run-dir") + 1] if "--run-dir" in args else args[args.index("--resume") + 1]
    return folder


def steps(folder):
    return [int(path.name) // tiny.BATCH for path in sorted((folder / "checkpoints").glob("[0-9]*"))]


# Resume.

@pytest.mark.parametrize("step", [1, 4, 5, 9, 11])
def test_killed_and_resumed_is_the_same_run(straight, data, tmp_path, step):
    """Weights, averages, the optimizer's moments, the order of examples, dice, log lines and samples, bit for bit."""
    folder = tmp_path / "killed"
    tool.run_here_until(step, "--model", "tiny", "--dataset", data, "--run-dir", folder)
    assert steps(folder) == [number for number in (3, 6, 9) if number < step]
    finished("--resume", folder)
    tool.assert_same_end(folder, straight)
    assert tool.samples(folder) == tool.samples(straight)
    assert tool.logged(folder) == tool.logged(straight)


def test_what_a_checkpoint_holds(straight):
    """The average is not the weight, the moments are not zero: a test of equality would not see that they are lost."""
    names = tool.tensors(straight)
    values = {name: float(np.ravel(value)[0]) for name, value in names.items() if np.size(value) == 1}
    assert len(set(values.values())) >= 6, values
    assert any(value == 12 * tiny.BATCH for value in values.values()), "the clock"


def test_a_longer_training_goes_on(straight, data, tmp_path):
    finished("--resume", straight, "--steps", 15)
    longer = finished("--model", "tiny", "--dataset", data, "--run-dir", tmp_path / "longer", "--steps", 15)
    assert steps(straight) == [9, 12, 15] == steps(longer)
    found, expected = tool.tensors(straight), tool.tensors(longer)
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


def test_two_replicas_make_the_same_update(straight, data, tmp_path):
    two = finished("--model", "tiny", "--dataset", data, "--run-dir", tmp_path / "two", "--replicas", 2)
    ours, others = (tf2gan.load(folder) for folder in (straight, two))
    np.testing.assert_allclose(others._sampler._owner.generator.get_weights()[0],
                               ours._sampler._owner.generator.get_weights()[0], atol=1e-6)


# Interruption.

@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_how_to_go_on(straight, data, tmp_path, monkeypatch, number, code):
    folder, log = tmp_path / "run", run_folder.Run.log

    def interrupted(self, values):
        log(self, values)
        if values["step"] == 4:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(run_folder.Run, "log", interrupted)
    process = tool.run_here("--model", "tiny", "--dataset", data, "--run-dir", folder)
    monkeypatch.undo()
    assert process.returncode == code and f"--resume {folder}" in process.stdout
    assert 4 <= steps(folder)[-1] < 12
    finished("--resume", folder)
    tool.assert_same_end(folder, straight)


def test_in_python_it_is_an_interruption_as_any(data, tmp_path):
    class Impatient:
        def on_log(self, step, logs):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="saved; go on with: tf2gan.Run"):
        tf2gan.train("tiny", data, run_dir=tmp_path / "run", callbacks=[Impatient()])
    assert tf2gan.Run(tmp_path / "run").resume().metrics()[-1]["step"] == 12


# Logs.

def test_log_lines(straight):
    lines = tool.metrics(straight)
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    assert [line["images"] for line in lines] == [4, 8, 12, 16, 20, 24]
    assert all({"epoch", "seconds", "images_per_second", "loss", "dice"} <= set(line) for line in lines)
    assert len({line["dice"] for line in lines}) == 6 and lines[-1]["loss"] < lines[0]["loss"]
    assert sorted(tool.samples(straight)) == [f"{step * tiny.BATCH:010d}.png" for step in (0, 5, 10, 12)]
    assert tool.scalars(straight)["loss"].keys() == {4, 8, 12, 16, 20, 24}
    record = json.loads((straight / "config.json").read_text())
    assert record["model"] == "tiny" and record["config"]["steps"] == 12 and record["versions"]["tf2gan"]


def test_a_value_that_is_not_finite_ends_training(data, tmp_path, monkeypatch):
    step = tiny.Tiny.train_step

    def broken(self, batch):
        logs = step(self, batch)
        return {**logs, "loss": tf.where(self.images_seen >= 8, np.nan, logs["loss"])}

    monkeypatch.setattr(tiny.Tiny, "train_step", broken)
    process = tool.run_here("--model", "tiny", "--dataset", data, "--run-dir", tmp_path / "run")
    assert process.returncode == 1 and "loss became nan at step 5" in process.stderr
    assert steps(tmp_path / "run") == [3]


# Early stop.

def test_the_best_checkpoint_and_an_early_stop(data, tmp_path, monkeypatch):
    values = {2: 5.0, 4: 3.0, 6: 4.0, 8: 3.5, 10: 1.0}
    monkeypatch.setattr(during_training, "check", lambda *args: ("fid",))
    monkeypatch.setattr(during_training, "check_data", lambda *args: None)
    monkeypatch.setattr(during_training, "make", lambda *args: lambda gan: [
        Figure("fid", "fid_of-a-test", values[int(gan.images_seen.numpy()) // tiny.BATCH])])
    args = ("--model", "tiny", "--dataset", data, "--evaluate-every", 2, "--keep-best", "fid", "--stop-after", 2)
    folder = finished(*args, "--run-dir", tmp_path / "run")
    best, = (folder / "checkpoints").glob("best-*")
    assert int(best.name[5:]) == 4 * tiny.BATCH and steps(folder)[-1] == 8
    killed = tmp_path / "killed"
    tool.run_here_until(7, *args, "--run-dir", killed)
    finished("--resume", killed)
    tool.assert_same_end(killed, folder)


# Export.

def test_an_export_makes_what_the_run_makes(straight, tmp_path):
    run = tf2gan.Run(straight)
    model = tf2gan.load(run.export(tmp_path / "model"))
    assert (model.sample(5, seed=2) == run.sample(5, seed=2)).all()
    weight = run.model()._sampler._owner.average.get_weights()[0].item()
    made = model.sample(3, seed=2)[:, 0, 0, 0]
    latents = model.latents(3, seed=2)[:, 0]
    expected = np.rint(255 * np.clip((weight * (1 + 0.1 * latents) + 1) / 2, 0, 1))  # [-1, 1] is black to white
    np.testing.assert_array_equal(made, expected)
