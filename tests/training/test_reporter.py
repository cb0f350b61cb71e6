"""What is told of a training: lines of a run, the discriminator's confusion matrix, what a tool has done."""
import io
import json
import re
import sys

import numpy as np
import pytest
import tool

from tf2gan.core import progress
from tf2gan.training import reporter as reporting
from tf2gan.training.reporter import Reporter, confusion_matrix

GUESSING = {"discriminator_loss": 0.75, "real_accuracy": 0.75, "fake_accuracy": 0.4, "diversity": 0.5,
            "generator_loss": 1.25}
CRITIC = {"discriminator_loss": -3.0, "penalty": 0.125, "critic_distance": 2.5, "generator_loss": 0.5}


@pytest.fixture
def run(tmp_path):
    return tool.made_run(tmp_path / "run", {"model": "gan", "config": {}, "options": {}, "data": {}})


@pytest.fixture
def told(run, capsys):
    """Function that logs means and returns the line on stderr."""
    def tell(means, step=5, images=20, **kwargs):
        reporter = Reporter(run, 0, 40, 10, **kwargs)
        reporter.log(step, images, 0.5, means)
        reporter.close()
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1
        return err

    return tell


class Terminal(io.StringIO):
    def isatty(self):
        return True


# The line of a training

def test_a_gan_is_told_with_its_losses_and_what_the_discriminator_gets_right(told):
    line = told(GUESSING)
    assert line.startswith("step 5/10 images 20 discriminator_loss=0.7500 generator_loss=1.2500 "
                           "D right about real 75 % fake 40 % ")
    assert "diversity" not in line and "accuracy" not in line
    assert re.search(r" [0-9.]+ img/s ETA 00:00:0[01]\n$", line)


def test_a_wasserstein_gan_is_told_with_the_distance_that_tells_when_to_stop(told):
    line = told(CRITIC)
    assert "discriminator_loss=-3.0000 critic_distance=2.5000 generator_loss=0.5000 " in line
    assert "D right" not in line and "penalty" not in line


def test_quantities_without_a_known_ending_are_told_up_to_three(told):
    assert " a=1.0000 b=2.0000 c=3.0000 " in told({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0})


def test_all_that_is_logged_is_in_the_file_and_in_tensorboard(told, run):
    told(GUESSING, seconds_before=1000.0)
    logged, = map(json.loads, (run.path / "metrics.jsonl").read_text().splitlines())
    assert {name: logged.pop(name) for name in GUESSING} == GUESSING
    assert 1000.0 <= logged.pop("seconds") < 1100.0 and logged.pop("images_per_second") > 0
    assert logged == {"step": 5, "images": 20, "epoch": 0.5}
    scalars = tool.scalars(run.path)
    assert scalars.pop("images_per_second").keys() == {20}
    assert scalars == {name: {20: np.float32(value)} for name, value in GUESSING.items()}


@pytest.mark.parametrize("hours, expected", [
    (1, "01:00:00"), (23.5, "23:30:00"),
    (30, "30:00:00")])
def test_the_time_left_is_that_at_the_present_rate(run, capsys, monkeypatch, hours, expected):
    times = iter([0.0, 10.0, 10.0, 10.0])
    monkeypatch.setattr(reporting.time, "perf_counter", lambda: next(times))
    total = int(hours * 3600) + 10
    reporter = Reporter(run, 0, total, total)
    reporter.log(10, 10, 0.5, GUESSING)  # one image a second
    reporter.close()
    assert capsys.readouterr().err.endswith(f" 1.0 img/s ETA {expected}\n")


# The confusion matrix

def test_rows_of_the_confusion_matrix_add_to_the_whole():
    title, real, generated = confusion_matrix(GUESSING).splitlines()
    assert title.split() == "the discriminator took for real for generated".split()
    for line, name, shares, words in ((real, "real images", [75.0, 25.0], "true positives, false negatives"),
                                      (generated, "generated images", [60.0, 40.0], "false positives, true negatives")):
        assert line.strip().startswith(name) and line.endswith(words)
        assert [float(share) for share in re.findall(r"([0-9.]+)%", line)] == shares
    for line in (real, generated):  # under their titles
        ends = [match.end() for match in re.finditer("%", line)]
        assert ends == [title.index("for real") + len("for real"), len(title)]


@pytest.mark.parametrize("logs", [{}, CRITIC, {"generator_loss": 1.0}])
def test_without_accuracies_there_is_no_confusion_matrix(logs):
    assert confusion_matrix(logs) == ""


# What a tool has done

@pytest.fixture
def clock(monkeypatch):
    """Function that moves the clock of progress lines on by some seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_without_a_terminal_there_is_a_line_every_ten_seconds_and_at_the_end(capsys, clock):
    lines = []
    with progress.Counter("drawing", 100) as counter:
        for _ in range(50):  # 4 seconds each
            clock(4.0)
            counter(2)
            lines += capsys.readouterr().err.splitlines()
    assert lines[0] == "drawing: 6 of 100 images, 3 min left" and lines[-1] == "drawing: 100 of 100 images"
    assert [int(line.split()[1]) for line in lines] == [*range(6, 100, 6), 100]


def test_short_work_is_silent(capsys, clock):
    with progress.Counter("drawing", 4) as counter:
        for _ in range(4):
            clock(2.0)
            counter()
    assert capsys.readouterr() == ("", "")


def test_log_lines_are_not_shown_more_often_than_every_ten_seconds(run, capsys, clock):
    reporter = Reporter(run, 0, 40, 10)
    for step in range(1, 11):
        clock(3.0)
        reporter.log(step, 4 * step, 0.5, GUESSING)
    reporter.close()
    shown = [int(line.split()[1].split("/")[0]) for line in capsys.readouterr().err.splitlines()]
    assert shown == [1, 5, 9, 10]
    assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 10


@pytest.mark.parametrize("seconds, expected", [
    (4.4, "4 s"), (89, "89 s"), (91, "2 min"), (89 * 60, "89 min"), (90 * 60, "1 h 30 min"), (3 * 3600, "3 h"),
    (47.4 * 3600, "47 h"), (72 * 3600, "3 days")])
def test_a_span_of_time(seconds, expected):
    assert progress.duration(seconds) == expected


def test_on_a_terminal_there_is_a_bar_and_no_lines(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.Counter("drawing", 4) as counter:
        counter(3)
        counter()
    assert "drawing: 100%" in terminal.getvalue() and "4/4" in terminal.getvalue()
    assert " of 4 images" not in terminal.getvalue()
    assert capsys.readouterr().out == ""
