"""A run that is killed, interrupted or extended ends as one that was left alone."""
import fcntl
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest
import tensorflow as tf
import tool

from tf2gan import runs


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tool.shared_images(tmp_path_factory)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The folder of a run of tool.STEPS steps without interruption. Not to be changed."""
    return tool.straight_run(tmp_path_factory)[0]


@pytest.fixture
def finished(straight, tmp_path):
    """A copy of it, to be damaged."""
    shutil.copytree(straight, tmp_path / "finished")
    return tmp_path / "finished"


def beginning(data, folder):
    """The arguments of a new run like the straight one."""
    return [*tool.EVERYTHING, *tool.EVERY, "--dataset", data, "--steps", tool.STEPS, "--run-dir", folder]


# Deaths.

def test_killed_in_the_middle_of_every_kind_of_write(tmp_path, data, straight):
    folder = tmp_path / "run"

    def dies(sabotage, *more, left):
        """The next session of the run is killed there, and leaves the checkpoints of these steps."""
        args = ["--resume", folder, *more] if folder.exists() else beginning(data, folder)
        process = tool.run(*args, sabotage=sabotage)
        assert process.returncode == -signal.SIGKILL, process.stderr
        assert tool.checkpoints(folder) == left
        for path in folder.glob("checkpoints/[0-9]*"):
            assert {file.name.split("-")[0] for file in path.iterdir()} == {"info.json", "state.data", "state.index"}

    # The first checkpoint is written but not yet renamed: there is none, and the run begins again.
    dies("before:*/checkpoints/0*:1", left=[])
    # Half of the variables of a checkpoint are written.
    dies("state:3", left=[3, 6])
    assert list(folder.glob("checkpoints/.*"))
    # A checkpoint is complete, but the oldest is not yet removed.
    dies("after:*/checkpoints/0*:2", left=[3, 6, 9, 12])
    assert not list(folder.glob("checkpoints/.*")), "the half-written checkpoint was not removed"
    # A resume is taking back the lines of metrics.jsonl that were logged after the checkpoint, or sets a new total.
    dies("before:*/metrics.jsonl:1", left=[3, 6, 9, 12])
    dies("before:*/config.json:1", "--steps", tool.STEPS + 2, left=[3, 6, 9, 12])
    # Half of a line is logged.
    dies("line:1", left=[3, 6, 9, 12])
    process = tool.run("--resume", folder)
    assert process.returncode == 0, process.stderr
    assert tool.checkpoints(folder) == [9, 12, 15]
    assert not [path for path in folder.rglob(".*") if path.name != ".lock"], "leftovers of the kills"
    tool.assert_same_end(folder, straight)


def test_killed_while_old_checkpoints_are_removed(tmp_path, monkeypatch):
    """What is left of the oldest checkpoint is never gone on from, and the next checkpoint removes it."""
    class Kill(BaseException):
        pass

    class Small(tf.Module):
        def __init__(self):
            super().__init__()
            self.images_seen = tf.Variable(0, dtype=tf.int64)

    def remove_one_file(path):
        next(pathlib.Path(path).glob("state.data*")).unlink()
        raise Kill

    run = runs.create(tmp_path / "run", {"model": "small", "config": {}, "options": {}, "data": {}})
    gan = Small()
    for images in (1, 2, 3):
        gan.images_seen.assign(images)
        run.save(gan, {})
    gan.images_seen.assign(4)
    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(shutil, "rmtree", remove_one_file)
        run.save(gan, {})
    assert [checkpoint.info["images"] for checkpoint in run.checkpoints()[-3:]] == [2, 3, 4]
    gan.images_seen.assign(5)
    run.save(gan, {})
    assert [checkpoint.info["images"] for checkpoint in run.checkpoints()] == [3, 4, 5]


def test_killed_interrupted_and_terminated(tmp_path, data, straight):
    folder = tmp_path / "run"

    def interrupted(number, at_step, *args, **popen):
        """Gets the signal while it is training; leaves a checkpoint of where it was. Returns stdout."""
        with tool.Held(tmp_path / f"held{number}", at_step, *args, **popen) as held:
            held.wait()
            held.process.send_signal(number)
            held.release()
            assert held.end() == 128 + number, held.output
        images = tool.metrics(folder)[-1]["images"]
        assert tool.checkpoints(folder)[-1] * tool.BATCH_SIZE >= images
        assert tool.checkpoints(folder)[-1] in (at_step, at_step + 1)  # two steps a call at the most
        message = [line for line in held.output.splitlines() if line.startswith("interrupted")]
        assert len(message) == 1 and f"of {tool.STEPS * tool.BATCH_SIZE} images, saved" in message[0]
        assert message[0].endswith(f"tools/train.py --resume {folder}")
        tool.assert_same_history(folder, straight)

    # SIGKILL, at any moment after the first checkpoint.
    with tool.Held(tmp_path / "killed", 3, *beginning(data, folder)) as held:
        held.wait()
        held.release()
        tool.wait_until(lambda: tool.checkpoints(folder) or held.process.poll() is not None)
        time.sleep(random.uniform(0, 0.05))
        held.process.kill()
        assert held.end() == -signal.SIGKILL
    assert tool.checkpoints(folder)
    # Ctrl-C, on a terminal, which shows a bar.
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    first = tool.checkpoints(folder)[-1]
    interrupted(signal.SIGINT, first + 1, "--resume", folder, stderr=follower)
    os.close(follower)
    assert_bar(read_all(leader), first * tool.BATCH_SIZE)
    # SIGTERM.
    interrupted(signal.SIGTERM, tool.checkpoints(folder)[-1] + 1, "--resume", folder)
    process = tool.run("--resume", folder)
    assert process.returncode == 0, process.stderr
    tool.assert_same_end(folder, straight)


def read_all(leader):
    """The text that came through a pseudo-terminal, which is closed."""
    shown = b""
    try:
        while part := os.read(leader, 4096):
            shown += part
    except OSError:  # on Linux, the end
        pass
    os.close(leader)
    return shown.decode()


def assert_bar(shown, first_image):
    """Asserts that a terminal saw a progress bar that begins at an image, with losses and speed."""
    bars = [bar for bar in re.split(r"[\r\n]+", shown) if "|" in bar and "checking" not in bar]
    total = tool.STEPS * tool.BATCH_SIZE
    assert f"{first_image}/{total}" in bars[0], shown
    done = int(re.search(rf"(\d+)/{total}", bars[-1]).group(1))
    assert first_image < done < total
    assert re.search(r"generator_loss=\d+\.\d+ discriminator_loss=\d+\.\d+", bars[-1])
    assert re.search(r"\d(img/s|s/img)", bars[-1])
    assert not re.search(r"^step ", shown, re.MULTILINE), "plain lines between the bars"


def test_two_replicas_extended_and_killed(tmp_path, data):
    """N steps, then a new total, killed on the way to it, then on: as if it had been the total from the start."""
    args = [*tool.EVERYTHING[:-1], "--replicas", 2, "--dataset", data, "--log-every", 2, "--checkpoint-every", 3,
            "--sample-every", 0]
    assert tool.EVERYTHING[-1] == "--learning-rate-decay"  # which depends on the total
    expected, folder = tmp_path / "straight", tmp_path / "run"
    with subprocess.Popen(tool.command(*args, "--steps", 12, "--run-dir", expected), cwd=tool.ROOT,
                          env=tool.environment(), stderr=subprocess.PIPE, text=True) as whole:
        process = tool.run(*args, "--steps", 6, "--run-dir", folder)
        assert process.returncode == 0, process.stderr
        assert tool.checkpoints(folder) == [3, 6]
        _, errors = whole.communicate()
    assert whole.returncode == 0, errors
    assert tool.run("--resume", folder, "--steps", 12, sabotage="state:2").returncode == -signal.SIGKILL
    assert tool.checkpoints(folder) == [3, 6, 9]
    process = tool.run("--resume", folder)
    assert process.returncode == 0, process.stderr
    both = [value for name, value in tool.tensors(folder).items() if "pool_x/images_of_replicas" in name]
    assert len(both) == 2 and both[0].any() and both[0].tobytes() != both[1].tobytes()
    tool.assert_same_end(folder, expected)


# Nothing to do.

@pytest.mark.parametrize("more", [
    [], ["--steps", "15"], ["--steps", "4"], ["--images=30"], ["--model", "cyclegan"], ["--preset", "default"],
    ["--seed", "0"], ["--batch-size", "2"], ["--cycle-weight", "10"], ["--generator", "unet"], ["--mirror"]])
def test_a_total_already_reached_and_flags_of_the_run_change_nothing(finished, more):
    before = tool.contents(finished)
    process = tool.run_here("--resume", finished, *more)
    assert process.returncode == 0, process.stderr
    assert str(finished) in process.stdout and "30 images" in process.stdout and "nothing to do" in process.stdout
    assert tool.contents(finished) == before


def test_the_data_set_may_be_named_as_at_the_start(straight, data, monkeypatch):
    monkeypatch.chdir(data.parent)
    for name in (data, data.name, f"./{data.name}/"):
        process = tool.run_here("--resume", straight, "--dataset", name)
        assert process.returncode == 0, process.stderr
