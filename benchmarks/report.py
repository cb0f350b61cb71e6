"""Shows measurements as tables and as JSON."""
import dataclasses
import json

from benchmarks.timing import Spread

PROFILE_ROWS = 20


def title(job) -> str:
    """The title of a job's part of the report."""
    config = job["config"]
    height, width, _ = job["image_shape"]
    return f"{job['preset'] if job['preset'].startswith(job['model']) else job['model']}, {height}x{width}, " \
           f"batch size {config['batch_size']}, {job['precision']}"


def comparison(record) -> str:
    """The result of `comparing.compare` as text."""
    rows = [("", "ms a step", "images/s", "tf2gan's time / this one's", "first step s", "memory MB")]
    for name, found in record["contestants"].items():
        ratio = "" if name == "tf2gan" else found["tf2gan_over_this"].text(2)
        rows.append((name, found["step_seconds"].times(1e3).text(1), found["images_per_second"].text(1), ratio,
                     f"{found['first_step_seconds']:.1f}", f"{found['peak_memory_bytes'] / 1e6:.0f}"))
    overhead, pipeline = record["overhead"], record["pipeline_seconds"]
    lines = [*_table(rows), *(f"{name}: skipped: {why}" for name, why in record["skipped"].items()),
             f"convolution peak: {record['peak_gflop_per_second'].text(0)} GFLOP/s ({record['peak_of']})",
             f"tf2gan's step: {record['gflop_per_step']:.2f} GFLOP, "
             f"{record['share_of_peak'].times(100).text(1)} % of the peak; {record['parameters']} weights are trained",
             f"input pipeline, one worker thread: {pipeline.times(1e3).text(2)} ms for the batches of a step, "
             f"which takes {record['step_over_pipeline'].text(1)} times as long",
             f"slowest of {record['single_steps']} single steps: {record['slowest_over_median']:.2f} of their median",
             f"a training at defaults, {overhead['steps']} steps: start, {overhead['checkpoints']} checkpoints and "
             f"{overhead['samples']} samples take {overhead['seconds']:.1f} s, {100 * overhead['share']:.2f} % of it"]
    return "\n".join(lines)


def growth(rows) -> str:
    """The result of `looking.growth` as text."""
    table = [("image size", "batch size", "ms a step", "images/s", "GFLOP a step", "GFLOP/s", "memory MB")]
    for row in rows:
        rate = row["gflop_per_step"] / row["step_seconds"].median
        table.append((row["image_size"], str(row["batch_size"]), row["step_seconds"].times(1e3).text(1),
                      row["images_per_second"].text(1), f"{row['gflop_per_step']:.2f}", f"{rate:.0f}",
                      f"{row['peak_memory_bytes'] / 1e6:.0f}"))
    return "\n".join(_table(table))


def memory(rows) -> str:
    """The result of `looking.memory` as text."""
    return "\n".join(_table([("step", "memory MB"), *((str(row["step"]), f"{row['bytes'] / 1e6:.1f}")
                                                      for row in rows)]))


def profile(record) -> str:
    """The result of `profiling.profile` as text."""
    total = sum(record["ops"].values())
    shown = list(record["ops"].items())[:PROFILE_ROWS]
    rest = total - sum(seconds for _, seconds in shown)
    rows = [(name, f"{1e3 * seconds:.2f}", f"{100 * seconds / total:.1f}")
            for name, seconds in [*shown, ("all others", rest)]]
    return "\n".join([f"a step took {1e3 * record['seconds']:.1f} ms while profiled; its operations, on all threads:",
                      *_table([("operation", "ms a step", "%"), *rows])])


def as_json(record) -> str:
    """JSON of any of the results above; Spreads are objects of "median", "low" and "high"."""
    return json.dumps(record, indent=2, default=_plain) + "\n"


def _plain(value):
    if not isinstance(value, Spread):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return dataclasses.asdict(value)


def _table(rows):
    """Lines of aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
            for row in rows]
