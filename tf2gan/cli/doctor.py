"""Tells what this machine has for training, on one screen to paste into a report of a fault: versions, devices, speed.

If no GPU is used, it says why. It changes nothing.
"""
import dataclasses
import os
import pathlib
import sys
import time

from tf2gan.cli.parser import Parser
from tf2gan.core import extras, machine
from tf2gan.core.errors import UserError
from tf2gan.core.versions import versions

_PURPOSES = {"onnx": "export --format onnx, web", "serve": "tf2gan serve"}  # of the extras
_SHAPE = (32, 32, 128, 3)  # images, pixels a side, channels, kernel: of a convolution as in the networks here


@dataclasses.dataclass
class Options:
    """What to measure."""

    seconds: float = 1.0  # for the speed of convolutions in each precision; 0: not measured


def main(argv=None):
    """Parses `argv`, looks, and prints."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    if not 0.0 <= options.seconds < float("inf"):
        raise UserError(f"--seconds {options.seconds}: must be 0 or more, and finite")
    for name, text in lines(options.seconds):
        print(f"{name + ':':14}{text}", flush=True)


def lines(seconds):
    """(what it is about, what was found) of each line, as it is found."""
    import tensorflow as tf

    found, addons = versions(), machine.package("tensorflow-addons")
    yield "versions", ", ".join(f"{name} {number}" for name, number in found.items())
    yield "addons", f"tensorflow-addons {addons}" if addons else "no tensorflow-addons, which this stack does without"
    here = machine.describe()
    yield "system", here["system"]
    yield "processor", f"{here['cpu']}, {here['cores']} cores, {' '.join(here['features']) or 'no AVX2'}"
    free = machine.free_memory()
    yield "memory", f"{here['ram_bytes'] / 2 ** 30:.1f} GB" + (f", {free / 2 ** 30:.1f} GB free" if free else "")
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        details = tf.config.experimental.get_device_details(gpu)
        capability = ".".join(map(str, details.get("compute_capability", ()))) or "unknown"
        yield "GPU", f"{details.get('device_name', gpu.name)}, compute capability {capability}"
    if not gpus:
        yield "GPU", f"none is used. {machine.why_no_gpu(tf.test.is_built_with_cuda())}"
    if seconds:
        precisions = ("float32", "bfloat16", *(["float16"] if gpus else []))
        rates = [(precision, _rate(tf, precision, seconds)) for precision in precisions]
        yield "convolutions", ", ".join(f"{rate:.0f} GFLOP/s in {precision}" for precision, rate in rates)
    yield "data", _data_folder()
    yield "disk", f"{machine.free_disk('runs') / 2 ** 30:.0f} GB free for ./runs"
    for extra, purpose in _PURPOSES.items():
        missing = [name for name in extras.PACKAGES[extra] if machine.package(name) is None]
        told = f"lacks {', '.join(missing)}: pip install 'tf2gan[{extra}]'" if missing else "installed"
        yield f"[{extra}]", f"{told} (for {purpose})"


def _rate(tf, precision, seconds):
    """10^9 operations a second of a convolution on the device that TensorFlow chooses."""
    num, size, channels, kernel = _SHAPE
    dtype = tf.dtypes.as_dtype(precision)
    images = tf.cast(tf.random.stateless_normal([num, size, size, channels], [1, 2]), dtype)
    filters = tf.cast(tf.random.stateless_normal([kernel, kernel, channels, channels], [3, 4]), dtype)

    @tf.function
    def run():
        return tf.reduce_max(tf.nn.conv2d(images, filters, 1, "SAME"))

    run()
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        run().numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * num * size ** 2 * channels ** 2 * kernel ** 2 / best / 1e9


def _data_folder():
    """Where tensorflow-datasets keeps its data, and which sets are there."""
    variable = os.environ.get("TFDS_DATA_DIR")
    folder = pathlib.Path(variable or "~/tensorflow_datasets").expanduser()
    where = f"{folder} ({'TFDS_DATA_DIR' if variable else 'TFDS_DATA_DIR is not set'})"
    if not folder.is_dir():
        return f"{where}: is not there yet"
    sets = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != "downloads")
    return f"{where}: {', '.join(sets) or 'empty'}"
