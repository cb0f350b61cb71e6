"""Where the time of a step goes, by type of operation, from TensorFlow's own trace."""
import collections
import pathlib
import tempfile
import time

import tensorflow as tf

from benchmarks import flops


def profile(work, steps) -> dict:
    """Runs `work()`, which is so many steps, once to warm up and once traced.

    {"seconds": of a step, "ops": {type of operation: seconds a step}}. An operation's time is that of the thread that
    started it; where two run side by side, their sum is more than the step.
    """
    # The message's module is none of TensorFlow's public ones, though in the same place in all versions here.
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
    """{type of operation: picoseconds}: of an operation the event's name is NAME:TYPE."""
    names = {number: metadata.name for number, metadata in plane.event_metadata.items()}
    totals = collections.Counter()
    for line in plane.lines:
        for event in line.events:
            name, _, kind = names.get(event.metadata_id, "").rpartition(":")
            # Not the executor's own events, such as ExecutorState::Process, nor those that hold others.
            if name and not name.endswith(":") and kind.isidentifier() and kind not in flops.CALLS:
                totals[kind] += event.duration_ps
    return totals
