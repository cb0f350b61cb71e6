#!/usr/bin/env python
"""What a GPU gives: steps a second by precision, with and without XLA, beside the fastest convolution.

Each case is a process of its own, with networks and data as in benchmark.py. It runs without a GPU too, and says so.
"""
import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # not installed: found beside tf2gan

from tf2gan.core import quiet  # noqa: E402, F401, before TensorFlow is imported

from benchmarks import options as benchmark  # noqa: E402
from benchmarks.process import Worker  # noqa: E402
from tf2gan.cli.parser import Parser, run_tool  # noqa: E402
from tf2gan.core.errors import Failure, UserError  # noqa: E402
from tf2gan.core.options import several  # noqa: E402
from tf2gan.gans import GANS  # noqa: E402

PRECISIONS = ("float32", "bfloat16", "float16")
MODELS = ("cyclegan", "dcgan", "progan", "projected")


@dataclasses.dataclass
class Options:
    """What is timed, and for how long."""

    models: str = ",".join(MODELS)  # methods or presets, separated by commas
    precisions: str = ",".join(PRECISIONS)
    jit: bool = True  # each also compiled by XLA
    seconds: float = 6.0  # of timing for each case, after as long a warm-up
    batch_size: int = 0  # images of a batch; 0: that of the preset, which is small for a GPU
    replicas: int = 1  # GPUs; more than one: also the same batch shared by so many, without XLA


def main(argv=None):
    """Parses `argv`, measures, prints a table of Markdown."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    precisions = several("--precisions", options.precisions, PRECISIONS)
    if options.seconds <= 0 or options.batch_size < 0 or options.replicas < 1:
        raise UserError("--seconds must be above 0, --batch-size at least 0, --replicas at least 1")
    sizes = {"batch_size": options.batch_size} if options.batch_size else {}
    jobs = {(model, precision): benchmark.Options().job(model, precision, **sizes)
            for model in several("--models", options.models, tuple(GANS.names())) for precision in precisions}
    peaks = {precision: _peak(precision, options.seconds) for precision in precisions}
    print("| model, images, batch | precision | jit | replicas | steps/s | GFLOP/s | of the peak | first step |\n"
          "|---|---|---|---|---|---|---|---|")
    for (model, precision), job in jobs.items():
        kinds = [(False, 1), *([(True, 1)] if options.jit else []),
                 *([(False, options.replicas)] if options.replicas > 1 else [])]
        for jit, replicas in kinds:
            print(_row(model, {**job, "jit": jit, "replicas": replicas}, peaks[precision], options.seconds), flush=True)


def _peak(precision, seconds):
    """GFLOP/s of the fastest convolution, and the line that says so."""
    try:
        with Worker("peak") as worker:
            worker.ask("build", job={"precision": precision})
            which = worker.ask("warm_up", seconds=seconds)
            rate, device = worker.ask("rate", seconds=seconds), worker.ask("device")
    except Failure as error:  # a finding, as in `_row`
        print(f"peak in {precision}: {' '.join(str(error).split())[:120]}", flush=True)
        return None
    print(f"peak in {precision}, {device}: {rate:,.0f} GFLOP/s ({which})", flush=True)
    return rate


def _row(model, job, peak, seconds):
    config = job["config"]
    name = (f"| `{model}`, {config['image_size'] or 'as the data'}, {config['batch_size']} | {job['precision']} | "
            f"{'yes' if job['jit'] else 'no'} | {job['replicas']} |")
    try:
        with Worker("tf2gan") as worker:
            first = worker.ask("build", job=job)["seconds"]
            step = worker.ask("warm_up", seconds=seconds)
            step = worker.ask("block", steps=max(3, round(seconds / step)))
            gflop = worker.ask("gflop") if job["replicas"] == 1 else None  # each replica has a part of it
    except Failure as error:  # a case that cannot be is a finding, and no reason to stop
        return f"{name} {' '.join(str(error).split())[:120]} | | | |"
    rate = " | |" if gflop is None else f" {gflop / step:,.0f} | {f'{gflop / step / peak:.0%}' if peak else ''} |"
    return f"{name} {1 / step:.1f} |{rate} {first:.1f} s |"


if __name__ == "__main__":
    run_tool(main, "gpu.py")
