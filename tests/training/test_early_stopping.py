"""Training that evaluates: lines and curves of figures, the best checkpoint, an early stop; all of it after kills."""
import io
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
import tool
from PIL import Image

from tf2gan.cli import train
from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.evaluation import during_training
from tf2gan.metrics.values import Figure
from tf2gan.runs import restore, run_folder
from tf2gan.runs.restore import load_gan
from tf2gan.training import early_stopping
from tf2gan.training.options import Options
from tf2gan.training.reporter import Reporter

STEPS, BATCH = 12, 4
EVERY = ("--log-every", "2", "--checkpoint-every", "3", "--sample-every", "5", "--num-samples", "2")
WATCHED = ("--evaluate-every", "2", "--keep-best", "fid")
NAME = "fid1000_harvest-test_fake-abc123"
VALUES = {2: 50.0, 4: 30.0, 6: 40.0, 8: 30.0, 10: 31.0, 12: 35.0}  # the best one at 4, of two


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tool.shared_class_images(tmp_path_factory)


@pytest.fixture
def scripted(monkeypatch):
    """Function that makes evaluations give what it is given, {step: value}; returns the steps they were asked at."""
    def script(values, metric="fid", deviation=None, name=NAME):
        asked = []

        def evaluate(gan):
            asked.append(int(gan.images_seen.numpy()) // BATCH)
            return [Figure(metric, name, values[asked[-1]], deviation), Figure("precision", "precision_name", 0.5)]

        monkeypatch.setattr(during_training, "make", lambda *args: evaluate)
        return asked

    monkeypatch.setattr(during_training, "check", lambda *args: ("fid", "is", "precision", "shares"))
    return script


def test_a_network_that_still_grows_is_no_reason_to_stop():
    """Its figures become worse whenever new layers come in; they can become better, too."""
    watch = early_stopping.EarlyStopping(Options(evaluate_every=1, keep_best="fid", stop_after=2))
    told = [watch.update(step, [Figure("fid", NAME, value)], grown) for step, (value, grown) in enumerate([
        (50.0, False), (60.0, False), (70.0, False), (40.0, False), (45.0, True)])]
    assert told == [True, False, False, True, False] and watch.since == 1 and not watch.stopped
    watch.update(5, [Figure("fid", NAME, 41.0)])
    assert watch.stopped and watch.best["value"] == 40.0


def arguments(data, *more):
    return [*tool.small("gan"), "--deterministic", *EVERY, "--dataset", data, "--steps", STEPS, *more]


def finished(*args):
    process = tool.run_here(*args)
    assert process.returncode == 0, process.stderr
    return process


def evaluations(folder):
    return [line for line in tool.logged(folder) if NAME in line]


def best(folder):
    """(steps, info) of the best checkpoint; there has to be one at the most."""
    found = list((folder / "checkpoints").glob("best-*"))
    assert len(found) <= 1
    return (int(found[0].name[5:]) // BATCH, json.loads((found[0] / "info.json").read_text())) if found else None


def checkpoints(folder):
    return [int(path.name) // BATCH for path in sorted((folder / "checkpoints").glob("[0-9]*"))]


def tensors(checkpoint):
    reader = tf.train.load_checkpoint(str(checkpoint / "state"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
            if name != "_CHECKPOINTABLE_OBJECT_GRAPH"}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert not [name for name in expected if found[name].tobytes() != expected[name].tobytes()]


# What a run leaves.

def test_lines_curves_and_the_best_checkpoint(tmp_path, data, scripted):
    asked = scripted(VALUES, deviation=0.25)
    process = finished(*arguments(data, *WATCHED), "--run-dir", tmp_path / "run")
    assert asked == list(VALUES)
    assert evaluations(tmp_path / "run") == [
        {"step": step, "images": step * BATCH, "epoch": round(step * BATCH / 11, 4), NAME: value,
         f"{NAME}_deviation": 0.25, "precision_name": 0.5} for step, value in VALUES.items()]
    assert tool.scalars(tmp_path / "run")[NAME] == {step * BATCH: value for step, value in VALUES.items()}
    told = [line for line in process.stderr.splitlines() if line.startswith("evaluated")]
    assert told[:4] == ["evaluated at step 2: fid 50.00 (the best so far), precision 0.5",
                        "evaluated at step 4: fid 30.00 (the best so far), precision 0.5",
                        "evaluated at step 6: fid 40.00 (best 30.00 at step 4), precision 0.5",
                        "evaluated at step 8: fid 30.00 (best 30.00 at step 4), precision 0.5"]
    lines = process.stderr.splitlines()
    assert lines.index(told[0]) == 1 + [line.split("/")[0] for line in lines].index("step 2")
    steps, info = best(tmp_path / "run")
    assert steps == 4 and info["step"] == 4 and info["images"] == 16
    assert info["best"] == {"metric": "fid", "name": NAME, "value": 30.0, "step": 4}
    assert checkpoints(tmp_path / "run") == [6, 9, 12]
    assert "best fid:    30.00 at step 4: checkpoints/best-0000000016 (--checkpoint best)" in process.stdout
    assert "stopped early" not in process.stdout and "the discriminator took" in process.stdout


@pytest.mark.parametrize("metric, expected", [("is", 2), ("fid", 4)])
def test_the_direction_is_that_of_the_figure(tmp_path, data, scripted, metric, expected):
    scripted(VALUES, metric)
    finished(*arguments(data, *WATCHED), "--keep-best", metric, "--run-dir", tmp_path / "run")
    assert best(tmp_path / "run")[0] == expected


@pytest.mark.parametrize("every, expected", [("5", [5, 10, 12]), ("6", [6, 12]), ("100", [12])])
def test_the_end_is_evaluated_once(tmp_path, data, scripted, every, expected):
    asked = scripted(dict.fromkeys(range(STEPS + 1), 1.0))
    finished(*arguments(data), "--evaluate-every", every, "--run-dir", tmp_path / "run")
    assert asked == expected
    assert best(tmp_path / "run") is None, "without --keep-best"


def test_evaluating_does_not_change_training(tmp_path, data, monkeypatch, scripted):
    scripted({})
    values = []

    def make(gan, splits, record, options, show_progress):
        generate = tf.function(gan.generate)

        def evaluate(gan):  # throws all kinds of dice, and reads the data
            tf.keras.utils.set_random_seed(len(values))
            noise = tf.random.normal([3, 5]) + np.random.normal()
            assert next(iter(splits["train"].records)) is not None
            values.append(float(tf.reduce_mean(generate(noise))))
            return [Figure("fid", NAME, values[-1])]

        assert record["data"] == {"train": 11}
        assert options.evaluate_num == 7 and show_progress is True
        return evaluate

    monkeypatch.setattr(during_training, "make", make)
    dice = ("--generator-dropout", "0.3", "--instance-noise", "0.2")
    finished(*arguments(data, *dice), "--run-dir", tmp_path / "plain")
    finished(*arguments(data, *dice, *WATCHED), "--evaluate-num", 7, "--run-dir", tmp_path / "watched")
    assert len(set(values)) == STEPS // 2, "the evaluations saw a generator that learns"
    assert checkpoints(tmp_path / "plain") == checkpoints(tmp_path / "watched") == [6, 9, 12]
    assert_same(tool.tensors(tmp_path / "watched"), tool.tensors(tmp_path / "plain"))
    assert [line for line in tool.logged(tmp_path / "watched") if NAME not in line] == tool.logged(tmp_path / "plain")
    assert tool.samples(tmp_path / "watched") == tool.samples(tmp_path / "plain")


def test_values_that_are_not_finite_are_told_and_never_the_best(tmp_path, data, scripted):
    scripted({**VALUES, 2: math.nan, 4: -math.inf, 6: math.nan})
    process = finished(*arguments(data, *WATCHED), "--run-dir", tmp_path / "run")
    assert [line[NAME] for line in evaluations(tmp_path / "run")] == [None, None, None, 30.0, 31.0, 35.0]
    assert "evaluated at step 2: fid nan (not finite), precision" in process.stderr
    assert "evaluated at step 4: fid -inf (not finite), precision" in process.stderr
    assert best(tmp_path / "run")[0] == 8
    assert all("NaN" not in line for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())


def test_broken_weights_end_training_as_ever_and_not_in_the_evaluation(tmp_path, data, monkeypatch, scripted):
    def make(gan, *args):
        def advance(self, step, num_images, logs):
            if step == 4:
                gan.generator.trainable_variables[0].assign_add(tf.fill(gan.generator.trainable_variables[0].shape,
                                                                        math.inf))

        monkeypatch.setattr(Reporter, "advance", advance)
        return evaluate

    scripted(VALUES)
    evaluate = during_training.make()
    monkeypatch.setattr(during_training, "make", make)
    process = tool.run_here(*arguments(data, *WATCHED), "--run-dir", tmp_path / "run")
    assert process.returncode == 1
    assert "is no longer finite at step 4" in process.stderr and "evaluated at step 4" not in process.stderr
    assert process.stderr.splitlines()[-1].endswith(f"checkpoint is {tmp_path / 'run/checkpoints/0000000012'}")


@pytest.mark.parametrize("terminal", [False, True])
def test_an_evaluation_does_not_slow_training_down(tmp_path, monkeypatch, terminal):
    """By what is told of it, between the bars of a terminal too."""
    times = iter([0.0, 110.0, 120.0, 120.0])  # the start, the end of the evaluation, the log
    monkeypatch.setattr(time, "perf_counter", lambda: next(times))
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", shown)
    run = tool.made_run(tmp_path / "run", {"model": "gan", "config": {}, "options": {}, "data": {}})
    reporter = Reporter(run, 0, 100, 100)
    reporter.evaluated(5, 5, 0.5, [Figure("swd_28", "full", 123.456), Figure("shares", "s", 0.01234)], None, 100.0)
    reporter.log(20, 20, 2.0, {"loss": 1.0})
    reporter.close()
    evaluated, logged = run.metrics()
    assert evaluated == {"step": 5, "images": 5, "epoch": 0.5, "seconds": 110.0, "full": 123.456, "s": 0.01234}
    assert logged["images_per_second"] == 1.0 and logged["seconds"] == 120.0
    assert "evaluated at step 5: swd_28 123.46, shares 0.0123\n" in shown.getvalue()


# An early stop.

def test_a_stop_is_an_end_and_a_resume_says_the_same(tmp_path, data, scripted):
    folder = tmp_path / "run"
    asked = scripted({**VALUES, 10: 29.0})
    process = finished(*arguments(data, *WATCHED, "--log-every", 5), "--stop-after", 2, "--run-dir", folder)
    assert asked == [2, 4, 6, 8]
    verdict = "stopped early at step 8: fid has not improved on 30.00 (step 4) for 2 evaluations"
    assert process.stdout.splitlines()[:2] == ["trained on 32 images", verdict]
    assert checkpoints(folder) == [3, 6, 8] and best(folder)[0] == 4
    assert max(tool.samples(folder)) == "0000000032.png"
    assert [line["step"] for line in run_folder.Run(folder).logs()] == [5, 8], "the last steps are logged at any end"
    before = tool.contents(folder)
    for more in ([], ["--evaluate-every", 3], ["--stop-after", 1], ["--steps", 20]):
        process = finished("--resume", folder, *more)
        assert f"stopped early at step 8: {verdict.split(': ')[1].split(' for')[0]}" in process.stdout
        assert "--stop-after none" in process.stdout
        assert tool.contents(folder) == before
    tool.run_here_until(9, "--resume", folder, "--stop-after", "none")  # and that is what the next resume goes by
    assert "trained on 48 images" in finished("--resume", folder).stdout
    assert asked[4:] == [10, 12] and best(folder)[0] == 10


def test_what_was_never_finite_stops_too(tmp_path, data, scripted):
    asked = scripted(dict.fromkeys(range(STEPS), math.inf))
    process = finished(*arguments(data, *WATCHED), "--stop-after", 3, "--run-dir", tmp_path / "run")
    assert asked == [2, 4, 6]
    assert "stopped early at step 6: fid was not finite in 3 evaluations" in process.stdout
    assert "best fid:    none" in process.stdout


def test_a_stop_at_the_last_step_is_none(tmp_path, data, scripted):
    scripted(VALUES)
    process = finished(*arguments(data, *WATCHED), "--stop-after", 4, "--run-dir", tmp_path / "run")
    assert "trained on 48 images" in process.stdout and "stopped" not in process.stdout
    assert "nothing to do" in finished("--resume", tmp_path / "run").stdout


@pytest.mark.parametrize("metric, values, improved, verdict", [
    ("fid", [3.0, 3.0, 2.5, 2.5, 2.6], [1, 0, 1, 0, 0], "not improved on 2.50 (step 2) for 2 evaluations"),
    ("is", [3.0, 3.0, 2.5, 3.5, 2.6], [1, 0, 0, 1, 0], "not improved on 3.50 (step 3) for 1 evaluation"),
    ("kid_a2b", [-0.001, math.nan, -0.002], [1, 0, 1], None)])
def test_a_watch_goes_on_from_its_state(metric, values, improved, verdict):
    options = Options(keep_best=metric, stop_after=1)
    watch = early_stopping.EarlyStopping(options)
    for step, (value, better) in enumerate(zip(values, improved)):
        watch = early_stopping.EarlyStopping(options, json.loads(json.dumps(watch.state())))
        assert watch.update(step, [Figure("other", "o", -9.0), Figure(metric, "n", np.float64(value))]) == bool(better)
        assert watch.stopped != better
    if verdict:
        assert watch.verdict().endswith(verdict)
    with pytest.raises(UserError, match="what is measured as elsewhere now was n when"):
        watch.update(9, [Figure(metric, "elsewhere", 1.0)])
    with pytest.raises(UserError, match=f"--keep-best {metric}: was not measured; possible: precision, recall$"):
        watch.update(9, [Figure("precision", "p", 1.0), Figure("recall", "r", 1.0)])


# Kills.

def kill_at(monkeypatch, pattern, number, before):
    """Ends the process, as far as it can tell, before or after the `number`-th rename to a path of this pattern."""
    replace, seen = os.replace, []

    def deadly(source, target):
        hit = pathlib.PurePath(target).match(pattern)
        seen.extend([target] * hit)
        if hit and before and len(seen) == number:
            raise tool.Killed
        replace(source, target)
        if hit and not before and len(seen) == number:
            raise tool.Killed

    monkeypatch.setattr(os, "replace", deadly)


FALLING = {2: 50.0, 4: 40.0, 6: 30.0, 8: 35.0, 10: 36.0, 12: 20.0}
KILLS = {  # where: (the arguments of kill_at, steps that are left, with the best ones as text)
    "between the line and the first best": (("best-*", 1, True), [], []),
    "between the line and a later best": (("best-*", 3, True), [3], [4]),
    "before the older best is removed": (("best-*", 3, False), [3], [4, 6]),
    "between best and ordinary of the same step": (("0000000024", 1, True), [3], [6]),
    "after the ordinary one of that step": (("0000000024", 1, False), [3, 6], [6]),
    "between the last best and the last checkpoint": (("0000000048", 1, True), [3, 6, 9], [12]),
    "before the last best": (("best-0000000048", 1, True), [3, 6, 9], [6]),
}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """{early stop or not: (folder, stdout)} of runs that were left alone; made by the first test that needs one."""
    return {}


@pytest.mark.parametrize("moment, stop_after", [*((moment, "none") for moment in KILLS), (list(KILLS)[2], "2"),
                                                (list(KILLS)[3], "2")])
def test_killed_and_gone_on_with(tmp_path, tmp_path_factory, data, monkeypatch, scripted, straight, moment, stop_after):
    scripted(FALLING)
    args = arguments(data, *WATCHED, "--stop-after", stop_after)
    if stop_after not in straight:
        expected = tmp_path_factory.mktemp("straight") / "run"
        straight[stop_after] = expected, finished(*args, "--run-dir", expected).stdout
    expected, stdout = straight[stop_after]
    folder = tmp_path / "run"
    how, ordinary, bests = KILLS[moment]
    with monkeypatch.context() as patch:
        kill_at(patch, *how)
        with pytest.raises(tool.Killed):
            tool.run_here(*args, "--run-dir", folder)
    assert checkpoints(folder) == ordinary
    assert sorted(int(path.name[5:]) // BATCH for path in folder.glob("checkpoints/best-*")) == bests
    if bests:
        assert load_gan(folder, "best")[1]["checkpoint"]["step"] == bests[-1]
    process = finished("--resume", folder)
    tool.assert_same_end(folder, expected)
    assert tool.logged(folder) == tool.logged(expected)
    assert checkpoints(folder) == checkpoints(expected)
    assert best(folder)[0] == best(expected)[0] == (12 if stop_after == "none" else 6)
    newest, wanted = (next((each / "checkpoints").glob("best-*")) for each in (folder, expected))
    assert_same(tensors(newest), tensors(wanted))
    assert process.stdout.replace(str(folder), "RUN") == stdout.replace(str(expected), "RUN")
    assert not [path for path in folder.rglob(".*") if path.name != ".lock"], "leftovers of the kill"


def test_killed_while_the_older_best_is_removed(tmp_path, data, monkeypatch, scripted):
    scripted(FALLING)
    with monkeypatch.context() as patch:
        def remove_one_file(path):
            next(pathlib.Path(path).glob("state.data*")).unlink()
            raise tool.Killed

        patch.setattr(shutil, "rmtree", remove_one_file)
        with pytest.raises(tool.Killed):
            tool.run_here(*arguments(data, *WATCHED), "--run-dir", tmp_path / "run")
    assert best(tmp_path / "run")[0] == 4
    load_gan(tmp_path / "run", "best")
    finished("--resume", tmp_path / "run")
    assert not list(tmp_path.glob("run/checkpoints/.*"))


def test_kill_9(tmp_path, data, scripted):
    """As processes of their own, killed by the system between an evaluation's line and the best checkpoint."""
    start = f"""
import runpy, sys
import tf2gan
from tf2gan.evaluation import during_training
from tf2gan.metrics.values import Figure
values = {FALLING}
during_training.check = lambda *args: ("fid",)
during_training.make = lambda *args: lambda gan: [
    Figure("fid", "{NAME}", values[int(gan.images_seen.numpy()) // {BATCH}]),
    Figure("precision", "precision_name", 0.5)]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

    def run(*args, sabotage=None):
        command = tool.command(*args, sabotage=sabotage)
        return subprocess.run([command[0], "-c", start, *command[1:]], cwd=tool.ROOT, env=tool.environment(),
                              capture_output=True, text=True, timeout=200)

    folder, expected = tmp_path / "run", tmp_path / "straight"
    args = arguments(data, *WATCHED, "--stop-after", 2)
    assert run(*args, "--run-dir", folder, sabotage="before:*/best-*:3").returncode == -signal.SIGKILL
    assert (checkpoints(folder), best(folder)[0]) == ([3], 4)
    assert [line["step"] for line in evaluations(folder)] == [2, 4, 6]
    process = run("--resume", folder)
    assert process.returncode == 0, process.stderr
    assert "stopped early at step 10: fid has not improved on 30.00 (step 6) for 2 evaluations" in process.stdout
    scripted(FALLING)
    finished(*args, "--run-dir", expected)
    tool.assert_same_end(folder, expected)
    assert checkpoints(folder) == checkpoints(expected) and best(folder)[0] == best(expected)[0] == 6


# Resumes with other options.

@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run of 4 steps whose best checkpoint is that of step 2. Not to be changed."""
    folder = tmp_path_factory.mktemp("watched") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(during_training, "check", lambda *args: ("fid",))
        patch.setattr(during_training, "make", lambda *args: lambda gan: [
            Figure("fid", NAME, float(gan.images_seen.numpy()))])
        finished(*arguments(tool.shared_class_images(tmp_path_factory), *WATCHED), "--steps", 5,
                 "--generator-learning-rate", 0.01, "--run-dir", folder)
    return folder


@pytest.mark.parametrize("more", [["--keep-best", "none"], ["--keep-best", "is"], ["--evaluate-num", "7"],
                                  ["--evaluate-metrics", "is,fid"], ["--extractor", "inception"]], ids=" ".join)
def test_the_protocol_of_a_curve_does_not_change(watched, scripted, more):
    before = tool.contents(watched)
    process = tool.run_here("--resume", watched, "--steps", 8, *more)
    assert process.returncode == 2 and len(process.stderr.splitlines()) == 1
    assert more[0] in process.stderr and "contradicts the run" in process.stderr
    assert tool.contents(watched) == before


def test_how_often_may_change_and_stays_so(tmp_path, watched, scripted):
    folder = shutil.copytree(watched, tmp_path / "run")
    asked = scripted(dict.fromkeys(range(STEPS + 1), 90.0))
    tool.run_here_until(6, "--resume", folder, "--steps", STEPS, "--evaluate-every", 3, "--stop-after", 4)
    assert "for 4 evaluations" in finished("--resume", folder).stdout  # of which two were before: at 4 and 5
    assert asked == [6, 9] and best(folder)[0] == 2


def test_an_older_run_goes_on_and_may_begin_to_evaluate(tmp_path, data, scripted):
    """One whose config.json knows nothing of evaluations."""
    folder = tmp_path / "run"
    finished(*arguments(data), "--steps", 3, "--run-dir", folder)
    record = json.loads((folder / "config.json").read_text())
    for name in early_stopping.OPTIONS:
        del record["options"][name]
    (folder / "config.json").write_text(json.dumps(record))
    assert "nothing to do" in finished("--resume", folder).stdout
    finished("--resume", folder, "--steps", 5)
    assert not evaluations(folder)
    asked = scripted(VALUES)
    finished("--resume", folder, "--steps", 8, *WATCHED)
    finished("--resume", folder, "--steps", 10)
    assert asked == [6, 8, 10] and best(folder)[0] == 8
    assert train.parse(["--resume", str(folder)])[0].options.keep_best == "fid"


@pytest.mark.parametrize("flags, words", [
    (["--keep-best", "fid"], "--keep-best fid: needs --evaluate-every"),
    (["--stop-after", "3"], "--stop-after 3: needs --evaluate-every"),
    (["--evaluate-every", "2", "--stop-after", "3"], "--stop-after 3: needs --keep-best"),
    (["--evaluate-every", "2", "--keep-best", "fidd"], "--keep-best: unknown figure 'fidd': did you mean 'fid'?"),
    (["--evaluate-every", "2", "--keep-best", "shares"], "--keep-best shares: neither a lower nor a higher value"),
    (["--evaluate-every", "-1"], "--evaluate-every -1: must be at least 0"),
    (["--evaluate-num", "0"], "--evaluate-num 0: must be at least 1"),
    ([*WATCHED, "--stop-after", "0"], "--stop-after 0: must be at least 1")], ids=lambda value: " ".join(value))
def test_what_cannot_be_is_refused_before_the_data(tmp_path, scripted, flags, words):
    process = tool.run_here("--model", "gan", "--dataset", tmp_path / "nothing", "--run-dir", tmp_path / "run", *flags)
    assert process.returncode == 2 and process.stderr.startswith(f"train.py: {words}"), process.stderr
    assert len(process.stderr.splitlines()) == 1 and not (tmp_path / "run").exists()


def test_an_evaluation_that_cannot_be_prepared_leaves_no_folder(tmp_path, data, monkeypatch, scripted):
    def make(*args):
        raise UserError("there is no such extractor here")

    monkeypatch.setattr(during_training, "make", make)
    process = tool.run_here(*arguments(data, *WATCHED), "--run-dir", tmp_path / "run")
    assert process.returncode == 2 and "no such extractor" in process.stderr
    assert not (tmp_path / "run").exists()


def test_options_are_printed_as_others(data, scripted):
    printed = json.loads(finished(*arguments(data, *WATCHED), "--extractor", "inception:a", "--print-config").stdout)
    assert printed["options"]["extractor"] == "inception:a" and printed["options"]["keep_best"] == "fid"
    assert {name: printed["options"][name] for name in ("evaluate_every", "evaluate_metrics", "evaluate_num")} == {
        "evaluate_every": 2, "evaluate_metrics": "fid", "evaluate_num": 1000}
    assert '"stop_after": 3' in finished(*arguments(data, *WATCHED), "--stop-after", 3, "--dry-run").stdout


# Which checkpoint, which weights.

def weights(gan):
    return np.concatenate([variable.numpy().ravel() for variable in gan.generator.trainable_variables])


def test_the_checkpoint_is_chosen(watched):
    found = {name: load_gan(watched, name) for name in ("latest", "best", "8", "12", "20", "0000000012")}
    assert {name: int(gan.images_seen.numpy()) for name, (gan, _) in found.items()} == {
        "latest": 20, "best": 8, "8": 8, "12": 12, "20": 20, "0000000012": 12}
    assert (weights(found["best"][0]) == weights(found["8"][0])).all()
    assert (weights(found["best"][0]) != weights(found["latest"][0])).any()
    assert found["best"][1]["checkpoint"]["best"]["value"] == 8.0
    assert load_gan(watched)[1]["checkpoint"]["images"] == 20


@pytest.mark.parametrize("name", ["16", "lastest", "-8", "", "8.0"])
def test_a_checkpoint_that_is_not_there(watched, name):
    with pytest.raises(UserError) as caught:
        load_gan(watched, name)
    assert str(caught.value) == (f"--checkpoint {name}: the run {watched} has no such checkpoint; possible: latest, "
                                 "best, 8, 12, 20")


def test_a_run_without_a_best_says_how_to_have_one(tmp_path, watched):
    folder = shutil.copytree(watched, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints" / "best-0000000008")
    with pytest.raises(UserError, match="kept none; training does with --evaluate-every and --keep-best"):
        load_gan(folder, "best")
    with pytest.raises(UserError, match="possible: latest, 12, 20"):
        load_gan(folder, "8")


def test_raw_weights_are_the_trained_ones(tmp_path, watched, data):
    averaged, record = load_gan(watched)
    raw, raw_record = load_gan(watched, weights="raw")
    assert (record["weights"], raw_record["weights"]) == ("averaged", "raw")
    latents = np.linspace(-1, 1, 10, dtype=np.float32).reshape(2, 5)
    trained = averaged.generator(latents, training=False).numpy()
    assert (raw.generate(latents).numpy() == trained).all()
    assert np.abs(averaged.generate(latents).numpy() - trained).max() > 1e-4
    with pytest.raises(UserError, match="unknown weights 'rwa': did you mean 'raw'?"):
        load_gan(watched, weights="rwa")
    finished(*arguments(data, "--ema-decay", "none"), "--steps", 1, "--run-dir", tmp_path / "run")
    for which in ("averaged", "raw"):
        assert load_gan(tmp_path / "run", weights=which)[1]["weights"] == "raw"


def test_figures_belong_to_the_weights_they_are_of(tmp_path, watched):
    folder = shutil.copytree(watched, tmp_path / "run")
    measured = {"protocol": {"images_seen": 8, "weights": "averaged"}, "table": "fid 1"}
    (folder / "evaluation.json").write_text(json.dumps(measured))
    assert "evaluation" in load_gan(folder, "best")[1]
    assert "evaluation" not in load_gan(folder, "latest")[1]
    assert "evaluation" not in load_gan(folder, "best", "raw")[1]
    for older in ({"protocol": measured["protocol"]}, {"protocol": {"images_seen": 8}, "table": ""}, []):
        (folder / "evaluation.json").write_text(json.dumps(older))
        assert "evaluation" not in load_gan(folder, "best")[1]


# The tools.

def use(name, *args):
    """A tool's `main` on these arguments, in this process."""
    tool.main(name)([str(arg) for arg in args])


def test_sample_takes_the_checkpoint(tmp_path, watched):
    use("sample", "--run", watched, "--checkpoint", "best", "--num", 2, "--output", tmp_path / "best")
    from tf2gan.models import generation
    for name, same in (("best", True), ("latest", False)):
        sampler = generation.Sampler.from_gan(load_gan(watched, name)[0])
        first = sampler.images(sampler.latents(2, 0))[0]
        found = images.read_image(tmp_path / "best" / "000000.png")[..., :first.shape[-1]]
        assert (np.abs(found.astype(int) - first).max() <= 1) == same


@pytest.mark.parametrize("name, more", [("sample", []), ("translate", ["--direction", "a2b", "--input", "a.png"])])
def test_an_export_has_no_checkpoints(tmp_path, name, more):
    with pytest.raises(UserError, match="--checkpoint: is of a --run"):
        use(name, "--savedmodel", "m", "--checkpoint", "best", "--output", tmp_path / "o", *more)


@pytest.mark.parametrize("name", ["sample", "translate", "export"])
def test_the_tools_hand_on_which_checkpoint(tmp_path, watched, monkeypatch, name):
    chosen, output = [], tmp_path / "out.png"

    def load_gan(*args):
        chosen.append(args)
        raise UserError("enough")

    monkeypatch.setattr(restore, "load_gan", load_gan)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    more = ["--direction", "a2b", "--input", tmp_path / "a.png"] if name == "translate" else []
    for flags, expected in (([], "latest"), (["--checkpoint", "8"], "8")):
        with pytest.raises(UserError, match="enough"):
            use(name, "--run", watched, "--output", output, *more, *flags)
        assert chosen.pop() == (str(watched), expected)
