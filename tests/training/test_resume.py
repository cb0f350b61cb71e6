"""A run that is killed, interrupted or extended ends as one that was left alone."""
import concurrent.futures
import fcntl
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import struct
import termios
import time

import pytest
import tensorflow as tf
import tool



@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    """{name: future} of what happens to three runs, all at the same time, since each waits for one core mostly."""
    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        data, class_data = tool.shared_images(tmp_path_factory), tool.shared_class_images(tmp_path_factory)
        yield {"killed_in_writes": executor.submit(killed_in_writes, tmp_path_factory.mktemp("story"), class_data),
               **{story.__name__: executor.submit(story, tmp_path_factory.mktemp("story"), data,
                                                  lambda: tool.straight_run(tmp_path_factory)[0])
                  for story in (killed_interrupted_and_terminated, two_replicas)}}


def beginning(data, folder):
    """The arguments of a new run like the straight one."""
    return [*tool.EVERYTHING, *tool.EVERY, "--dataset", data, "--steps", tool.STEPS, "--run-dir", folder]


# Deaths.

def killed_in_writes(place, data):
    """Of the method that starts fastest, since it is started so often; what is written is alike for all."""
    args = [*tool.small("gan"), "--deterministic", "--batch-size", tool.BATCH_SIZE, *tool.EVERY, "--steps", tool.STEPS,
            "--generator-dropout", "0.3", "--instance-noise", "0.3", "--learning-rate-decay", "--dataset", data]
    folder = place / "run"

    def dies(sabotage, *more, left):
        """The next session of the run is killed there, and leaves the checkpoints of these steps."""
        begin = ["--resume", folder, *more] if folder.exists() else [*args, "--run-dir", folder]
        process = tool.run(*begin, sabotage=sabotage)
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
    process = tool.run(*args, "--run-dir", place / "straight")
    assert process.returncode == 0, process.stderr
    tool.assert_same_end(folder, place / "straight")


def test_killed_in_the_middle_of_every_kind_of_write(stories):
    stories["killed_in_writes"].result()


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

    run = tool.made_run(tmp_path / "run", {"model": "small", "config": {}, "options": {}, "data": {}})
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


def killed_interrupted_and_terminated(place, data, straight):
    folder = place / "run"

    def interrupted(number, at_step, *args, **popen):
        """Gets the signal while it is training; leaves a checkpoint of where it was."""
        with tool.Held(place / f"held{number}", at_step, *args, **popen) as held:
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
        tool.assert_same_history(folder, straight())

    # SIGKILL, at any moment after the first checkpoint.
    with tool.Held(place / "killed", 3, *beginning(data, folder)) as held:
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
    with concurrent.futures.ThreadPoolExecutor() as reader:
        shown = reader.submit(read_all, leader)
        try:
            interrupted(signal.SIGINT, first + 1, "--resume", folder, stderr=follower)
        finally:
            os.close(follower)
    assert_bar(shown.result(), first * tool.BATCH_SIZE)
    # SIGTERM.
    interrupted(signal.SIGTERM, tool.checkpoints(folder)[-1] + 1, "--resume", folder)
    process = tool.run("--resume", folder)
    assert process.returncode == 0, process.stderr
    tool.assert_same_end(folder, straight())


def test_killed_interrupted_and_terminated(stories):
    stories["killed_interrupted_and_terminated"].result()


def read_all(leader):
    """All that comes through a pseudo-terminal, which is closed then."""
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


def two_replicas(place, data, straight):
    """N steps, then a new total, killed on the way to it, then on: as if it had been the total from the start."""
    args = [*tool.EVERYTHING[:-1], "--replicas", 2, "--dataset", data, "--log-every", 2, "--checkpoint-every", 3,
            "--sample-every", 0]
    assert tool.EVERYTHING[-1] == "--learning-rate-decay"  # which depends on the total
    expected, folder = place / "straight", place / "run"
    for steps, run_dir in ((12, expected), (6, folder)):
        process = tool.run(*args, "--steps", steps, "--run-dir", run_dir)
        assert process.returncode == 0, process.stderr
    assert tool.checkpoints(folder) == [3, 6]
    assert tool.run("--resume", folder, "--steps", 12, sabotage="state:2").returncode == -signal.SIGKILL
    assert tool.checkpoints(folder) == [3, 6, 9]
    process = tool.run("--resume", folder)
    assert process.returncode == 0, process.stderr
    both = [value for name, value in tool.tensors(folder).items() if "pool_x/images_of_replicas" in name]
    assert len(both) == 2 and both[0].any() and both[0].tobytes() != both[1].tobytes()
    tool.assert_same_end(folder, expected)


def test_two_replicas_extended_and_killed(stories):
    stories["two_replicas"].result()
