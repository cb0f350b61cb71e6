"""Compares the contestants of a model, which take turns in rounds, in an order that rotates."""
import contextlib

from benchmarks import process, timing
from benchmarks.process import Worker
from tf2gan.core.errors import Failure

WARM_UP_SECONDS, TURN_SECONDS, PEAK_SECONDS, PIPELINE_SECONDS = 3.0, 1.0, 0.6, 0.3
SINGLE_STEPS = 30  # timed one by one after the rounds, to see whether one takes much longer than the others
IN_BOOK, IN_TORCH = ("gan", "dcgan", "cyclegan"), ("dcgan", "cyclegan", "pix2pix")


def contestants_of(job, options):
    """Returns (names of a job's contestants, the first is "tf2gan", {name of an impossible one: reason})."""
    names, skipped = ["tf2gan"], {}
    for name in dict.fromkeys(options.baselines):
        if name == "book" and job["model"] not in IN_BOOK:
            skipped[name] = f"the book's way is there for {', '.join(IN_BOOK)}"
        elif name == "torch" and (job["model"] not in IN_TORCH or job["config"].get("networks") == "transposed"):
            skipped[name] = f"there are networks in PyTorch for {', '.join(IN_TORCH)}"
        elif name == "torch" and process.torch_version(options.torch_python) is None:
            skipped[name] = "no PyTorch in this environment; --torch-python takes the interpreter of one that has it"
        else:
            names.append(name)
    return names, skipped


def compare(job, options, tell) -> dict:
    """Measures one job; `tell(text)` gets progress messages for the user.

    Returns numbers, text, and timing.Spreads by name; `report.comparison` describes them. Raises Failure if a
    contestant fails.
    """
    names, skipped = contestants_of(job, options)
    with contextlib.ExitStack() as stack:
        workers, found, steps = {}, {}, {}
        for name in [*names, "peak"]:
            tell(f"{name}: start and first step")
            workers[name] = stack.enter_context(Worker(name, options.torch_python if name == "torch" else None))
            found[name] = {"start_seconds": workers[name].start_seconds,
                           "first_step": workers[name].ask("build", job=job)}
            step = workers[name].ask("warm_up", seconds=WARM_UP_SECONDS)
            if name == "peak":
                peak_of = step
            else:
                steps[name] = options.steps or max(1, round(TURN_SECONDS / step))
        _check_parameters(found)
        turns = {name: [] for name in workers}
        pipeline = []
        for number in range(options.rounds):
            tell(f"round {number + 1} of {options.rounds}")
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                turns[name].append(workers[name].ask("block", steps=steps[name]))
            turns["peak"].append(workers["peak"].ask("rate", seconds=PEAK_SECONDS))
            pipeline.append(workers["tf2gan"].ask("pipeline", seconds=PIPELINE_SECONDS))
        tell("single steps, checkpoints, samples")
        ours = workers["tf2gan"]
        singles = ours.ask("each", steps=SINGLE_STEPS)
        gflop = ours.ask("gflop")
        memory = {name: worker.memory()["peak"] for name, worker in workers.items()}
        overhead = ours.ask("overhead")
    return _record(found, turns, steps, memory, {
        "gflop_per_step": gflop, "peak_of": peak_of, "pipeline_seconds": timing.spread(pipeline),
        "step_over_pipeline": timing.paired(turns["tf2gan"], pipeline), "single_steps": len(singles),
        "slowest_over_median": max(singles) / timing.spread(singles).median, "skipped": skipped,
        "overhead": _with_share(overhead, found["tf2gan"], timing.spread(turns["tf2gan"]).median)})


def _record(found, turns, steps, memory, more):
    first, contestants = found["tf2gan"]["first_step"], {}
    for name in steps:
        seconds = timing.spread(turns[name])
        contestants[name] = {
            "step_seconds": seconds, "images_per_second": seconds.inverse().times(first["images"]),
            "tf2gan_over_this": timing.paired(turns["tf2gan"], turns[name]),
            "start_seconds": found[name]["start_seconds"], "first_step_seconds": found[name]["first_step"]["seconds"],
            "peak_memory_bytes": memory[name], "steps_of_a_turn": steps[name], "turns": turns[name]}
    rates = [more["gflop_per_step"] / seconds for seconds in turns["tf2gan"]]
    return {"parameters": first["parameters"], "peak_gflop_per_second": timing.spread(turns["peak"]),
            "share_of_peak": timing.paired(rates, turns["peak"]), **more, "contestants": contestants}


def _check_parameters(found):
    """Raises Failure unless all contestants train the same number of weights."""
    numbers = {name: each["first_step"]["parameters"] for name, each in found.items() if name != "peak"}
    if len(set(numbers.values())) != 1:
        raise Failure(f"the contestants' networks are not the same: weights trained: {numbers}")


def _with_share(overhead, found, step):
    """`contestants.Tf2gan.overhead` with its total "seconds" and "share" of a default training, process start included.
    """
    seconds = (found["start_seconds"] + found["first_step"]["seconds"] + overhead["first_sample_seconds"]
               + overhead["checkpoints"] * overhead["checkpoint_seconds"]
               + (overhead["samples"] - 1) * overhead["sample_seconds"])
    return {**overhead, "seconds": seconds, "share": seconds / (seconds + overhead["steps"] * step)}
