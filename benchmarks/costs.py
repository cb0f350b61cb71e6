#!/usr/bin/env python
"""What an option costs: steps of a method with it and without it, in turns, each in a process of its own.

A penalty that comes every 16 steps is timed over as many.
"""
import contextlib
import dataclasses
import math
import pathlib
import sys
from typing import Literal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # not installed: found beside tf2gan

from tf2gan.core import quiet  # noqa: E402, F401, before TensorFlow is imported

from benchmarks import timing  # noqa: E402
from benchmarks.options import job_of  # noqa: E402
from benchmarks.process import Worker  # noqa: E402
from tf2gan.cli.parser import Parser, run_tool  # noqa: E402
from tf2gan.core.errors import UserError, flag  # noqa: E402
from tf2gan.core.options import several  # noqa: E402
from tf2gan.gans import GANS  # noqa: E402

_SPECTRAL = {"discriminator_normalization": "spectral"}  # no batch statistics, for penalties
# {preset: (the options of all its rows, [(those that differ from the defaults, those that are added to them), ...])}
AXES = {
    "dcgan": ({"image_size": "64", "batch_size": 32, "channels": 3}, [
        ({}, {"augment": "diffaugment"}), ({}, {"augment": "ada"}), ({}, _SPECTRAL), ({}, {"batches": "joint"}),
        ({}, {"loss": "relativistic"}), (_SPECTRAL, {"penalty": "r1"}),
        (_SPECTRAL, {"penalty": "r1", "penalty_every": 16}), (_SPECTRAL, {"penalty": "r1-r2"}),
        (_SPECTRAL, {"penalty": "wgan-gp"})]),
    "cgan": ({}, [({"discriminator_condition": "plane"}, {"discriminator_condition": "projection"}),
                  ({"generator_condition": "product"}, {"generator_condition": "normalization"})]),
    "fastgan": ({}, [({"restore": None}, {"restore": "l1"}), ({"restore": None}, {"restore": "perceptual"}),
                     ({"augment": None}, {"augment": "diffaugment"})]),
    "projected": ({}, [({"augment": None}, {"augment": "diffaugment"}), ({}, {"judged_size": 224}),
                       ({}, {"full_generator": True})]),
    "cyclegan": ({}, [({}, {"augment": "diffaugment"}), ({"projected_weight": 0.0}, {"projected_weight": 1.0}),
                      ({"identity_weight": 0.0}, {"identity_weight": 5.0}), ({"pool_size": 0}, {"pool_size": 50})]),
}


@dataclasses.dataclass
class Options:
    """What is timed, and for how long."""

    models: str = ",".join(AXES)  # those of whose options the cost is measured, separated by commas
    precision: Literal["float32", "bfloat16"] = "float32"  # of the networks
    rounds: int = 5  # in each of which both have one turn
    seconds: float = 2.0  # of a turn, and of the warm-up before the first


def main(argv=None):
    """Parses `argv`, measures, prints a table of Markdown."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    models = several("--models", options.models, tuple(AXES))
    if options.seconds <= 0 or options.rounds < 1:
        raise UserError("--seconds must be above 0, --rounds at least 1")
    rows = [(model, {**AXES[model][0], **before}, added) for model in models for before, added in AXES[model][1]]
    jobs = [[_job(model, changes, options.precision) for changes in (before, {**before, **added})]
            for model, before, added in rows]
    print("| | | added | ms a step without | with over without |\n|---|---|---|---|---|")
    for (model, before, added), pair in zip(rows, jobs):
        step, ratio = _compared(pair, options)
        print(f"| `{model}` | {_told(before)} | {_told(added)} | {1e3 * step.median:.0f} | {ratio.text(2)} |",
              flush=True)


def _job(preset, changes, precision):
    name, preset = GANS.names()[preset]
    return job_of(name, preset, dataclasses.replace(GANS[name].presets[preset], **changes), precision)


def _compared(jobs, options):
    """For (job without, job with): (timing.Spread of the seconds of a step without, that of the ratios)."""
    with contextlib.ExitStack() as stack:
        workers, steps = [stack.enter_context(Worker("tf2gan")) for _ in range(2)], []
        for worker, job in zip(workers, jobs):
            worker.ask("build", job=job)
            every = job["config"].get("penalty_every", 1)
            step = worker.ask("warm_up", seconds=options.seconds)
            steps.append(every * math.ceil(options.seconds / step / every))
        turns = [[], []]
        for number in range(options.rounds):
            for i in (0, 1) if number % 2 else (1, 0):
                turns[i].append(workers[i].ask("block", steps=steps[i]))
    return timing.spread(turns[0]), timing.paired(turns[1], turns[0])


def _told(changes):
    return " ".join(f"`{flag(name)} {str(value).lower()}`" for name, value in changes.items())


if __name__ == "__main__":
    run_tool(main, "costs.py")
