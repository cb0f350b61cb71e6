"""Measures tf2gan alone: step time by image and batch size, memory over many steps, and step time by operation."""
import contextlib

from benchmarks import timing
from benchmarks.comparing import TURN_SECONDS, WARM_UP_SECONDS
from benchmarks.options import GROWTH
from benchmarks.process import Worker

PROFILED_STEPS = 10


@contextlib.contextmanager
def _warm(job):
    """Yields (a warmed-up Worker of tf2gan, the result of `first_step`, seconds per step)."""
    with Worker("tf2gan") as worker:
        first = worker.ask("build", job=job)
        yield worker, first, worker.ask("warm_up", seconds=WARM_UP_SECONDS)


def growth(model, precision, options, tell) -> list:
    """[{"image_size", "batch_size", "step_seconds", "images_per_second", "gflop_per_step", "peak_memory_bytes"}]."""
    rows, (image_sizes, batch_sizes) = [], GROWTH[model]
    for image_size in image_sizes:
        for batch_size in batch_sizes:
            tell(f"{image_size}x{image_size}, batches of {batch_size}")
            job = options.job(model, precision, image_size=image_size, batch_size=batch_size)
            with _warm(job) as (worker, first, step):
                steps = options.steps or max(1, round(TURN_SECONDS / step))
                seconds = timing.spread([worker.ask("block", steps=steps) for _ in range(options.rounds)])
                rows.append({"image_size": image_size, "batch_size": batch_size, "step_seconds": seconds,
                             "images_per_second": seconds.inverse().times(first["images"]),
                             "gflop_per_step": worker.ask("gflop"), "peak_memory_bytes": worker.memory()["peak"]})
    return rows


def memory(job, options, tell) -> list:
    """[{"step", "bytes"}] at step 0, after warm-up, and at each tenth of `options.memory_steps`."""
    tell("first step")
    with _warm(job) as (worker, _, _):
        done, rows = 0, [{"step": 0, "bytes": worker.memory()["now"]}]
        for tenth in range(1, 11):
            steps = options.memory_steps * tenth // 10 - done
            tell(f"step {done} of {options.memory_steps}")
            worker.ask("block", steps=steps)
            done += steps
            rows.append({"step": done, "bytes": worker.memory()["now"]})
    return rows


def profile(job, options, tell) -> dict:
    """See `profiling.profile`."""
    tell("first step")
    with _warm(job) as (worker, _, _):
        tell("profile")
        return worker.ask("profile", steps=options.steps or PROFILED_STEPS)
