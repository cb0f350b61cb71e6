"""Step time by type of operation, from TensorFlow's own trace."""
import collections
import pathlib
import tempfile
import time

import tensorflow as tf

from benchmarks import flops


def profile(work, steps) -> dict:
    """Runs `work()`, which does `steps` steps, once to warm up and once traced.

    Returns {"seconds": per step, "ops": {type of operation: seconds per step}}. An operation's time is that of the
    thread that started it; if operations run in parallel, their sum exceeds the time of the step.
    """
    # Not a public module of TensorFlow, but it is in the same place in all versions used here.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    work()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        tf.profiler.experimental.stop()
        totals = collections.Counter()
        for file in pathlib.Path(folder).rglob("*.xplane.pb"):
            space = xplane_pb2.XSpace.FromString(file.read_bytes())
            for plane in space.planes:
                totals.update(_of_plane(plane))
    ops = {name: picoseconds / 1e12 / steps for name, picoseconds in totals.most_common()}
    return {"seconds": seconds / steps, "ops": ops}


def _of_plane(plane):
    """{type of operation: picoseconds}; the event of an operation is named NAME:TYPE."""
    names = {number: metadata.name for number, metadata in plane.event_metadata.items()}
    totals = collections.Counter()
    for line in plane.lines:
        for event in line.events:
            name, _, kind = names.get(event.metadata_id, "").rpartition(":")
            # Skips the executor's own events, such as ExecutorState::Process, and events that contain others.
            if name and not name.endswith(":") and kind.isidentifier() and kind not in flops.CALLS:
                totals[kind] += event.duration_ps
    return totals
