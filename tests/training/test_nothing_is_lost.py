"""Whatever happens to a training, nothing that was reached is lost: terminals, disks, paths, two starts at once."""
import errno
import io
import json
import os
import pathlib
import shutil
import signal
import sys
import threading

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
import tiny
import tool
from hypothesis import strategies
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

import tf2gan
from tf2gan.core.errors import Failure, UserError
from tf2gan.runs import run_folder

RECORD = {"model": "tiny", "config": {}, "options": {}, "data": {}}
SETTINGS = {"deadline": None, "derandomize": True, "suppress_health_check": list(hypothesis.HealthCheck),
            "phases": [hypothesis.Phase.generate]}  # to shrink a failure would take minutes


@pytest.fixture(scope="module")
def data():
    with tiny.registered() as name:
        yield name


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    """A run that nothing happened to."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    tf2gan.train("tiny", data, run_dir=folder)
    return folder


@pytest.fixture(autouse=True)
def connected():
    """As started from a terminal, also where the tests were not."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def at_step(step, function):
    """A callback that calls `function` when a line of this step has been logged."""
    class Callback:
        def on_log(self, reached, logs):
            if reached == step:
                function()

    return Callback()


def saved(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


# The terminal.

class Gone(io.TextIOWrapper):
    """A stream into a pipe that nobody reads any more."""

    def __init__(self):
        reader, writer = os.pipe()
        os.close(reader)
        super().__init__(os.fdopen(writer, "wb"), write_through=True)


def test_a_closed_pipe_costs_no_step(data, straight, tmp_path, monkeypatch):
    gone = Gone()
    with pytest.raises(BrokenPipeError):
        gone.write("the test is of a pipe that is broken\n")
        gone.flush()
    monkeypatch.setattr(sys, "stderr", Gone())
    tf2gan.train("tiny", data, run_dir=tmp_path / "run")
    tool.assert_same_end(tmp_path / "run", straight)


def test_ctrl_c_to_a_training_whose_pipes_have_gone_saves_first(data, straight, tmp_path, monkeypatch):
    def interrupt():
        monkeypatch.setattr(sys, "stderr", Gone())
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        tf2gan.train("tiny", data, run_dir=tmp_path / "run", callbacks=[at_step(4, interrupt)])
    monkeypatch.undo()
    assert int(saved(tmp_path / "run")[-1]) >= 4 * tiny.BATCH
    tf2gan.Run(tmp_path / "run").resume()
    tool.assert_same_end(tmp_path / "run", straight)


def test_a_terminal_that_lacks_a_character_costs_no_step(data, tmp_path, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    tf2gan.train("tiny", data, run_dir=tmp_path / "gemälde")
    assert rb"gem\xe4lde" in stream.buffer.getvalue()


def test_a_lost_connection_is_an_interruption(data, straight, tmp_path):
    hang_up = at_step(4, lambda: os.kill(os.getpid(), signal.SIGHUP))
    with pytest.raises(SystemExit) as end:
        tf2gan.train("tiny", data, run_dir=tmp_path / "run", callbacks=[hang_up])
    assert end.value.code == 128 + signal.SIGHUP
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    tf2gan.Run(tmp_path / "run").resume()
    tool.assert_same_end(tmp_path / "run", straight)


def test_under_nohup_a_lost_connection_is_none(data, straight, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        hang_up = at_step(4, lambda: os.kill(os.getpid(), signal.SIGHUP))
        tf2gan.train("tiny", data, run_dir=tmp_path / "run", callbacks=[hang_up])
    finally:
        signal.signal(signal.SIGHUP, before)
    tool.assert_same_end(tmp_path / "run", straight)


# Paths.

# As bytes, since a name need not be text.
NAMES = strategies.binary(min_size=1, max_size=40).map(lambda name: os.fsdecode(name.translate(None, b"/\0"))).filter(
    lambda name: name not in ("", ".", ".."))


def used_in_every_way(data, folder, place):
    """A run in `folder`: trained, gone on with, loaded, exported; the export at a plain path, then moved beside it."""
    run = tf2gan.train("tiny", data, run_dir=folder, steps=2, checkpoint_every=1)
    assert run.resume(steps=4).metrics()[-1]["step"] == 4
    assert len(list(run.path.glob("events*"))) == 2  # of two sessions
    sample = run.sample(2)
    exported = pathlib.Path(run.export(place / "exported")).rename(folder.with_name(folder.name + "x"))
    np.testing.assert_array_equal(tf2gan.load(exported).sample(2), sample)
    assert run.grid() is not None


@pytest.mark.parametrize("name", ["a[1]", "a[b", "a\\b", "a*?", "a b", "gemälde", "a\nb", "a\udcffb", "-a", "{a}", "~",
                                  "a:b"])
def test_any_name_that_the_file_system_takes_works(data, tmp_path, name):
    (tmp_path / "place").mkdir()
    used_in_every_way(data, tmp_path / "place" / name, tmp_path)


@hypothesis.settings(max_examples=8, **SETTINGS)
@hypothesis.given(name=NAMES)
def test_any_drawn_name_works(data, tmp_path_factory, name):
    place = tmp_path_factory.mktemp("any")
    (place / "place").mkdir()
    used_in_every_way(data, place / "place" / name, place)


def test_an_export_goes_nowhere_from_where_tensorflow_cannot_load_it(straight, tmp_path):
    message = tool.refusal(tf2gan.Run(straight).export, tmp_path / "a[1]")
    assert "TensorFlow cannot load" in message and not list(tmp_path.iterdir())


# What a user puts beside what the run writes.

def test_copies_of_checkpoints_stay(data, tmp_path):
    folder = tmp_path / "run"
    run = tf2gan.train("tiny", data, run_dir=folder, steps=3)
    mine = ["0000000006-good", "0000000006 (copy)", "0000000006.bak", "best-0000000006-mine", "6", "notes",
            ".writing-a"]
    for name in mine:
        shutil.copytree(folder / "checkpoints" / "0000000006", folder / "checkpoints" / name)
    (folder / "checkpoints" / "x.tmp").write_text("mine")
    (folder / ".mine.tmp").write_text("mine")
    run.resume(steps=15)
    assert saved(folder) == sorted([*mine, "x.tmp", "0000000018", "0000000024", "0000000030"])
    assert (folder / ".mine.tmp").exists()
    assert run.resume(steps=16).metrics()[-1]["step"] == 16


# Two starts.

def test_of_many_starts_at_once_one_trains_with_its_own_configuration(tmp_path):
    for attempt in range(20):
        folder, won, refused = tmp_path / str(attempt), [], []
        start, end = threading.Barrier(6), threading.Barrier(6)

        def begin(number):
            start.wait()
            try:
                with run_folder.created(folder, {**RECORD, "number": number}) as run:
                    won.append((number, run.record["number"]))
                    end.wait(10)
            except UserError as error:
                refused.append(str(error))
                end.wait(10)

        threads = [threading.Thread(target=begin, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1 and len(refused) == 5, refused
        (number, recorded), = won
        assert number == recorded == json.loads((folder / "config.json").read_text())["number"]
        assert all("another process is training" in each or "not empty" in each for each in refused)


def test_without_a_name_each_of_many_starts_has_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start, found = threading.Barrier(6), []

    def begin(number):
        start.wait()
        with run_folder.created(lambda: run_folder.next_run_dir("tiny", "x"), {**RECORD, "number": number}) as run:
            found.append(run.path)
            files = run.path / "checkpoints" / "0000000001"
            files.mkdir(parents=True)
            (files / "info.json").write_text("{}")

    threads = [threading.Thread(target=begin, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, found)) == [f"runs/tiny-x-00{number}" for number in range(1, 7)]


def test_a_resume_sees_what_another_has_just_changed(data, tmp_path, monkeypatch):
    run = tf2gan.train("tiny", data, run_dir=tmp_path / "run", steps=3)
    locked = run_folder.Run.locked

    def late(self):
        record = json.loads((self.path / "config.json").read_text())
        (self.path / "config.json").write_text(json.dumps({**record, "total_images": 8}))
        return locked(self)

    monkeypatch.setattr(run_folder.Run, "locked", late)
    assert "has just changed the run" in tool.refusal(run.resume)


# A folder in which nothing was trained.

@pytest.mark.parametrize("was_there", [False, True])
def test_a_start_that_fails_leaves_nothing(data, tmp_path, monkeypatch, was_there):
    folder = tmp_path / "run"
    if was_there:
        folder.mkdir()

    def fails(self, batch):
        raise ValueError("a wrong network")

    with monkeypatch.context() as patch:
        patch.setattr(tiny.Tiny, "train_step", fails)
        with pytest.raises(ValueError, match="a wrong network"):
            tf2gan.train("tiny", data, run_dir=folder)
    assert folder.exists() == was_there and (not was_there or [path.name for path in folder.iterdir()] == [".lock"])
    assert tf2gan.train("tiny", data, run_dir=folder).metrics()


def test_a_start_that_was_killed_before_anything_was_trained_is_in_nobodys_way(data, tmp_path):
    folder = tmp_path / "run"
    tool.run_here_until(1, "--model", "tiny", "--dataset", data, "--run-dir", folder)
    assert (folder / "config.json").exists()
    tf2gan.train("tiny", data, run_dir=folder, seed=5)
    assert tf2gan.Run(folder).record["config"]["seed"] == 5


def test_what_was_trained_stays_even_if_it_fails(data, tmp_path):
    def fails():
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    with pytest.raises(Failure, match="there was no checkpoint yet"):
        tf2gan.train("tiny", data, run_dir=tmp_path / "run", callbacks=[at_step(2, fails)])
    assert [line["step"] for line in tool.metrics(tmp_path / "run")] == [2]
    assert "--resume" in tool.refusal(lambda: tf2gan.train("tiny", data, run_dir=tmp_path / "run"))


@pytest.mark.parametrize("name", ["samples/mine.png", "samples/20241101120000.png", "config.json", ".cache.tmp/x",
                                  "events.out.tfevents.123.other", "checkpoints/0000000001/x", "metrics.jsonl"])
@pytest.mark.parametrize("has_record", [False, True])
def test_a_users_file_is_never_removed(tmp_path, name, has_record):
    folder = tmp_path / "run"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"mine")
    if has_record and name != "config.json":
        (folder / "config.json").write_text(json.dumps(RECORD))
    before = tool.contents(folder)
    with pytest.raises(UserError, match="not empty"), run_folder.created(folder, RECORD):
        pass
    assert {path: digest for path, digest in tool.contents(folder).items() if path != ".lock"} == before


def test_sighup_and_then_sigterm_is_one_end_of_a_session(data, straight, tmp_path):
    def end():
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        tf2gan.train("tiny", data, run_dir=tmp_path / "run", callbacks=[at_step(4, end)])
    tf2gan.Run(tmp_path / "run").resume()
    tool.assert_same_end(tmp_path / "run", straight)


# A disk that is full, an image that is gone.

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "the file")


def at_a_log_line(monkeypatch):
    log = run_folder.Run.log

    def full(self, values):
        if values["step"] == 8:
            raise FULL
        log(self, values)

    monkeypatch.setattr(run_folder.Run, "log", full)


def at_a_sample(monkeypatch):
    monkeypatch.setattr(os, "replace", failing(os.replace, lambda *names: "0000000020.png" in str(names[1]), FULL))


def at_a_checkpoint(monkeypatch):
    error = tf.errors.ResourceExhaustedError(
        None, None, "{{function_node __wrapped__SaveV2_dtypes_34_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
        f"/x/checkpoints/.writing-{32 * '1'}/state_temp/part-00000-of-00001.data; No space left on device [Op:SaveV2]")
    write = tf.train.Checkpoint.write
    monkeypatch.setattr(tf.train.Checkpoint, "write", failing(
        write, lambda self, prefix: int(self.gan.images_seen.numpy()) == 18, error))


def at_tensorboard(monkeypatch):
    error = tf.errors.ResourceExhaustedError(None, None, "events.out; No space left on device\n\t [[{{node x}}]]")
    scalar = tf.summary.scalar
    monkeypatch.setattr(tf.summary, "scalar", failing(
        scalar, lambda *args: int(tf.summary.experimental.get_step()) == 16, error))


def failing(function, when, error):
    def instead(*args, **kwargs):
        if when(*args, **kwargs):
            raise error
        return function(*args, **kwargs)

    return instead


@pytest.mark.parametrize("where", [at_a_log_line, at_a_sample, at_a_checkpoint, at_tensorboard])
def test_a_full_disk_is_one_line_with_the_cause_and_the_way_back(data, straight, tmp_path, monkeypatch, where):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        where(patch)
        process = tool.run_here("--model", "tiny", "--dataset", data, "--run-dir", folder)
    *_, last = process.stderr.splitlines()
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert last.startswith("train.py: training failed at step ") and "No space left on device" in last
    newest = saved(folder)[-1]
    assert newest == ("0000000018" if where is at_a_sample else "0000000012")
    assert f"saved: {folder / 'checkpoints' / newest}; go on with: tools/train.py --resume {folder}" in last
    tf2gan.Run(folder).resume()
    tool.assert_same_end(folder, straight)
    assert tool.logged(folder) == tool.logged(straight) and tool.samples(folder) == tool.samples(straight)


def test_an_image_that_disappears(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(8):  # of several sizes, so that they are read as needed
        Image.fromarray(np.full([8 + number, 8, 3], 30 * number, np.uint8)).save(images / f"{number}.png")

    class Callback:
        def on_checkpoint(self, path):
            for path in images.iterdir():
                path.unlink()

    with pytest.raises(Failure) as found:
        tf2gan.train("gan", str(images), image_size="8", steps=400, batch_size=8, checkpoint_every=1, ema_decay=None,
                     run_dir=tmp_path / "run", callbacks=[Callback()])
    message = str(found.value)
    assert "No such file or directory" in message and str(images) in message and message.count("\n") == 0, message
    assert "saved: " in message and "resume" in message


# Logs of a run that was killed.

def test_tensorboard_has_each_step_once_after_a_kill(data, straight, tmp_path):
    folder = tmp_path / "run"
    tool.run_here_until(11, "--model", "tiny", "--dataset", data, "--run-dir", folder, "--log-every", 1)
    (events,) = folder.glob("events*")
    with open(events, "ab") as file:
        file.write(b"\x30\x00\x00")  # half a record
    tf2gan.Run(folder).resume(log_every=1)
    steps = [event.step for path in sorted(folder.glob("events*")) for event in EventFileLoader(str(path)).Load()
             for value in event.summary.value if value.tag == "loss"]
    assert steps == [tiny.BATCH * step for step in range(1, 13)]


# Data that have moved.

def test_the_same_data_in_another_folder_are_the_same(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        for number in range(4):
            level = 10 * number + (name == "c")
            Image.fromarray(np.full([8, 8 + (name == "c"), 3], level, np.uint8)).save(tmp_path / name / f"{number}.bmp")
    options = {"image_size": "8", "batch_size": 2, "run_dir": tmp_path / "run"}
    run = tf2gan.train("gan", str(tmp_path / "a"), steps=1, **options)
    shutil.rmtree(tmp_path / "a")
    assert "--dataset names the new folder" in tool.refusal(lambda: run.resume(steps=2))
    assert "the data have changed" in tool.refusal(lambda: run.resume(steps=2, dataset=str(tmp_path / "c")))
    run.resume(steps=2, dataset=str(tmp_path / "b"))
    assert run.record["config"]["dataset"] == str(tmp_path / "b")
    assert run.resume(steps=3).metrics()[-1]["step"] == 3


# Whatever comes when.

@hypothesis.settings(max_examples=8, **SETTINGS)
@hypothesis.given(what=strategies.lists(strategies.tuples(strategies.integers(1, 10), strategies.sampled_from(
    ["kill", signal.SIGINT, signal.SIGTERM, signal.SIGHUP, "full"])), max_size=4))
def test_after_any_interruptions_it_ends_as_if_there_had_been_none(data, straight, tmp_path_factory, what):
    folder = tmp_path_factory.mktemp("any") / "run"
    start = ["--model", "tiny", "--dataset", data, "--run-dir", folder]
    for step, kind in sorted(what, key=lambda pair: pair[0]):
        args = ["--resume", folder] if (folder / "config.json").exists() else start
        reached = int(saved(folder)[-1]) // tiny.BATCH if (folder / "checkpoints").exists() and saved(folder) else 0
        if step <= reached:
            continue
        if kind == "kill":
            tool.run_here_until(step, *args)
            continue
        with pytest.MonkeyPatch.context() as patch:
            log, happened = run_folder.Run.log, []

            def event(self, values):
                if values["step"] >= step and not happened:
                    happened.append(kind)
                    if kind == "full":
                        raise FULL
                    os.kill(os.getpid(), kind)
                log(self, values)

            patch.setattr(run_folder.Run, "log", event)
            assert tool.run_here(*args).returncode == (1 if kind == "full" else 128 + kind)
    tool.run_here(*(["--resume", folder] if (folder / "config.json").exists() else start))
    tool.assert_same_end(folder, straight)
    assert [line["step"] for line in tool.metrics(folder)] == list(range(2, 13, 2))
