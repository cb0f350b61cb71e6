"""A run that makes images from noise, killed and gone on with, ends as one that was left alone: every preset."""
import json
import shutil
import signal

import numpy as np
import pytest
import tool

from tf2gan.runs.restore import load_gan

STEPS = 8
EVERY = ("--steps", str(STEPS), "--log-every", "2", "--checkpoint-every", "3", "--sample-every", "4",
         "--num-samples", "3")
# All that throws dice or changes in time. With 11 images and 4 to 8 of them a step, what is left is of a later epoch.
CHOICES = {
    "gan": "--n-critic 2 --generator-dropout 0.3 --discriminator-dropout 0.3 --instance-noise 0.3 --label-flips 0.2 "
           "--learning-rate-decay --pretrain-images 40 --accumulate 2",
    "gan-smooth": "--soft-labels --penalty r1 --ema-decay none --gradient-clip 0.5",
    "gan-deep": "--label-flips 0.3 --penalty dragan --instance-noise 0.1 --mirror",
    "dcgan": "--generator-dropout 0.3 --instance-noise 0.3 --label-flips 0.2 --pretrain-images 10 --precision float16",
    "dcgan-transpose": "--soft-labels --n-critic 2 --loss least-squares --generator-optimizer rmsprop",
    "cgan": "--n-critic 2 --generator-dropout 0.3 --discriminator-dropout 0.3 --loss minimax --instance-noise 0.2 "
            "--batches joint",
    "wgan": "--n-critic 2 --pretrain-images 40 --learning-rate-decay",
    "wgan-gp": "--n-critic 2 --discriminator-dropout 0.3 --mirror --penalty wgan-gp-one-sided",
    "sgan": "--baseline --fully-supervised --exclude-labelled --label-seed 5 --mirror --classifier-ema-decay 0.9",
    "sgan-book": "--baseline --n-critic 2 --pretrain-images 40 --labelled-shift 3",
    "sgan-dense": "--baseline --discriminator-optimizer rmsprop",
    "sgan-features": "--fully-supervised --label-flips 0.2 --instance-noise 0.1",
    "progan": "--generator-dropout 0.3 --mirror",
    "progan-mnist": "--batch-sizes 8:2 --loss non-saturating --penalty r1 --instance-noise 0.1",
    "progan-cifar10": "--discriminator-dropout 0.3 --learning-rate-decay --gradient-clip 1.0",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tool.shared_class_images(tmp_path_factory)


def arguments(preset, data, *more):
    return [*tool.small(preset), "--deterministic", *CHOICES[preset].split(), *EVERY, "--dataset", data, *more]


def finished(*args):
    process = tool.run_here(*args)
    assert process.returncode == 0, process.stderr
    return process


def weights(folder):
    """{network: its weights, one array} in the newest checkpoint."""
    gan, _ = load_gan(folder)
    return {name: np.concatenate([weight.numpy().ravel() for weight in network.trainable_variables])
            for name, (network, _) in gan.networks.items()}


def assert_killed_after(folder, step, saved):
    """That a run has logged up to `step`, and its newest checkpoint is of step `saved`."""
    newest = max((folder / "checkpoints").glob("[0-9]*"))
    assert tool.metrics(folder)[-1]["step"] == step
    assert json.loads((newest / "info.json").read_text())["step"] == saved


# In this process, which saves the start of TensorFlow. The kill is an exception there that nothing catches.

# Without those whose steps are another one's here, with other sizes.
@pytest.mark.parametrize("preset", [preset for preset in tool.NOISE_PRESETS if preset not in (
    "gan-smooth", "gan-deep", "dcgan-transpose", "sgan-book", "progan-cifar10")])
def test_killed_and_gone_on_with(tmp_path, data, preset):
    expected, folder = tmp_path / "straight", tmp_path / "run"
    finished(*arguments(preset, data), "--run-dir", expected)
    # What was logged at step 4 is of no checkpoint: it is taken back, and done again.
    tool.run_here_until(5, *arguments(preset, data), "--run-dir", folder)
    assert_killed_after(folder, 4, saved=3)
    before = weights(folder)
    finished("--resume", folder)
    tool.assert_same_end(folder, expected)
    after = weights(folder)
    for network in before:
        assert (before[network] != after[network]).any(), f"the {network} has not changed since the kill"


def test_the_choices_of_the_table_are_in_force(data):
    """Or the runs above would be equal for want of anything that could differ."""
    for preset in tool.NOISE_PRESETS:
        printed = finished(*arguments(preset, data), "--print-config").stdout
        plain = finished(*tool.small(preset), *EVERY, "--dataset", data, "--print-config").stdout
        different = set(printed.splitlines()) - set(plain.splitlines())
        flags = [word for word in CHOICES[preset].split() if word.startswith("--")]
        assert len(different) == len(flags) + 1, (preset, different)  # --deterministic


def test_pretraining_ends_where_it_would_have(tmp_path, data):
    """Killed in pretraining, after 3 of the 5 steps that it takes."""
    folder = tmp_path / "run"
    args = [*tool.small("gan"), "--dataset", data, "--pretrain-images", 20, "--ema-decay", "none", *EVERY,
            "--log-every", 1, "--checkpoint-every", 1, "--sample-every", 0]
    tool.run_here_until(4, *args, "--run-dir", folder)
    assert_killed_after(folder, 3, saved=3)
    before = weights(folder)
    tool.run_here_until(6, "--resume", folder)
    pretrained = weights(folder)
    assert_killed_after(folder, 5, saved=5)
    finished("--resume", folder)
    assert ["generator_loss" in line for line in tool.metrics(folder)] == [False] * 5 + [True] * 3
    assert (pretrained["generator"] == before["generator"]).all()
    assert (pretrained["discriminator"] != before["discriminator"]).any()
    assert (weights(folder)["generator"] != before["generator"]).any()


@pytest.mark.parametrize("more", [["--images", "44"], ["--epochs", "4"], ["--steps", "11"]])
def test_a_new_total_is_a_total(tmp_path, data, more):
    """11 images an epoch, 4 images a step: 44 images are 11 steps and 4 epochs."""
    expected, folder = tmp_path / "straight", tmp_path / "run"
    plain = [*tool.small("gan"), "--dataset", data, "--log-every", 2, "--sample-every", 0]
    finished(*plain, "--steps", 11, "--run-dir", expected)
    finished(*plain, "--steps", 5, "--run-dir", folder)
    finished("--resume", folder, *more)
        # Where the first total was reached a line was logged and a checkpoint taken that the other run has not.
    assert [line["step"] for line in tool.metrics(folder)] == [2, 4, 5, 6, 8, 10, 11]
    found, wanted = tool.tensors(folder), tool.tensors(expected)
    assert found.keys() == wanted.keys()
    assert not [name for name in wanted if found[name].tobytes() != wanted[name].tobytes()]
    process = finished("--resume", folder, *more)
    assert "44 images" in process.stdout and "nothing to do" in process.stdout


# Replicas.

def test_two_replicas(tmp_path, data):
    """Batch statistics are each replica's own and the moving ones are shared, so that a single one can go on too."""
    expected, folder, alone = tmp_path / "straight", tmp_path / "run", tmp_path / "alone"
    two = arguments("dcgan", data, "--replicas", "2", "--batch-size", "8", "--pretrain-images", "0")
    finished(*two, "--run-dir", expected)
    tool.run_here_until(5, *two, "--run-dir", folder)
    assert_killed_after(folder, 4, saved=3)
    shutil.copytree(folder, alone)
    finished("--resume", folder)
    tool.assert_same_end(folder, expected)

    saved = {value.tobytes() for value in tool.tensors(alone).values()}
    gan, _ = load_gan(alone)
    statistics = [variable for network in (gan.generator, gan.discriminator, gan.average)
                  for variable in network.variables if "moving" in variable.name]
    assert len(statistics) == 2 * (3 + 2 + 3)  # a mean and a variance for each layer
    assert all(variable.numpy().tobytes() in saved for variable in statistics)
    finished("--resume", alone, "--replicas", 1)
    assert all(np.isfinite(value).all() for value in tool.tensors(alone).values() if value.dtype.kind == "f")
    assert tool.metrics(alone)[-1]["step"] == STEPS


def test_two_replicas_continued_on_one(tmp_path, data):
    """Dropout apart, whose dice are each replica's own, and batch statistics, the updates are those of one replica."""
    expected, folder = tmp_path / "straight", tmp_path / "run"
    args = [*tool.small("gan"), "--dataset", data, *EVERY, "--n-critic", 2, "--instance-noise", 0.3, "--label-flips",
            0.2, "--generator-optimizer", "sgd", "--discriminator-optimizer", "sgd", "--generator-learning-rate", 0.1,
            "--discriminator-learning-rate", 0.1]
    finished(*args, "--run-dir", expected)
    tool.run_here_until(5, *args, "--replicas", 2, "--run-dir", folder)
    killed = weights(folder)
    finished("--resume", folder, "--replicas", 1)
    found, wanted = weights(folder), weights(expected)
    for network in wanted:
        np.testing.assert_allclose(found[network], wanted[network], atol=2e-6, err_msg=network)
        assert np.abs(found[network] - killed[network]).max() > 1e-3, f"the {network} has hardly moved since the kill"


# As processes of their own, killed by the system: what all of the above stands for.

@pytest.mark.parametrize("preset", ["cgan", "wgan-gp"])
def test_kill_9(tmp_path, data, preset):
    """In the middle of the second line of metrics.jsonl, as one process; gone on with by another one."""
    expected, folder = tmp_path / "straight", tmp_path / "run"
    finished(*arguments(preset, data), "--run-dir", expected)
    process = tool.run(*arguments(preset, data), "--run-dir", folder, sabotage="line:2")
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert [int(path.name) for path in (folder / "checkpoints").iterdir()] == [3 * 8]
    process = tool.run("--resume", folder)
    assert process.returncode == 0, process.stderr
    tool.assert_same_end(folder, expected)
