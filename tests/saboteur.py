"""Runs a tool with one thing made to happen at a chosen moment: saboteur.py WHAT TOOL [ARGS]. WHAT is one of

hold:STEP:FOLDER    once STEP is reached, creates FOLDER/held and waits, between two calls, for FOLDER/released
poison:STEP         makes a weight infinite after STEP
state:N             is killed in the middle of the N-th time that the variables of a checkpoint are written
line:N              is killed in the middle of the N-th line of metrics.jsonl
before:PATTERN:N    is killed before the N-th rename to a path that PATTERN matches
after:PATTERN:N     is killed right after it
"""
import fnmatch
import os
import pathlib
import runpy
import signal
import sys
import time

import tf2gan  # noqa: F401  (before TensorFlow, as in the tools)
import numpy as np
import tensorflow as tf

from tf2gan.gans import base
from tf2gan.runs import run_folder
from tf2gan.training.reporter import Reporter


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def counted(total):
    """A function that is true at its `total`-th call."""
    calls = iter(range(1, sys.maxsize))
    return lambda: next(calls) == int(total)


def hold(step, folder):
    advance, folder = Reporter.advance, pathlib.Path(folder)

    def held(self, reached, num_images, logs):
        advance(self, reached, num_images, logs)
        if reached >= int(step) and not (folder / "held").exists():
            (folder / "held").touch()
            while not (folder / "released").exists():
                time.sleep(0.02)

    Reporter.advance = held


def poison(step):
    end_step = base.GAN.end_step

    def poisoned(self, num_images):
        end_step(self, num_images)
        weight = self.generator_variables[0]  # in the graph, since this is traced
        is_time = tf.equal(self.images_seen, int(step) * num_images)
        weight.assign(tf.where(is_time, np.inf, 1.0) * weight)

    base.GAN.end_step = poisoned


def state(number):
    write, is_time = tf.train.Checkpoint.write, counted(number)

    def half_written(self, prefix):
        path = write(self, prefix)
        if is_time():
            data, = pathlib.Path(prefix).parent.glob("*.data-*")
            os.truncate(data, data.stat().st_size // 2)
            pathlib.Path(prefix + ".index").unlink()
            die()
        return path

    tf.train.Checkpoint.write = half_written


def line(number):
    log, is_time = run_folder.Run.log, counted(number)

    def half_logged(self, values):
        log(self, values)
        if is_time():
            path = self.path / "metrics.jsonl"
            os.truncate(path, path.stat().st_size - 20)
            die()

    run_folder.Run.log = half_logged


def rename(pattern, number, dies_before):
    replace, is_time = os.replace, counted(number)

    def deadly(source, target):
        last = fnmatch.fnmatch(str(target), pattern) and is_time()
        if last and dies_before:
            die()
        replace(source, target)
        if last:
            die()

    os.replace = deadly


SABOTAGE = {"hold": hold, "poison": poison, "state": state, "line": line,
            "before": lambda pattern, number: rename(pattern, number, True),
            "after": lambda pattern, number: rename(pattern, number, False)}

if __name__ == "__main__":
    what, *details = sys.argv[1].split(":")
    SABOTAGE[what](*details)
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
