#!/usr/bin/env python
"""Times an export in each format, for one image and for a batch: TensorFlow, ONNX Runtime, TensorFlow Lite.

Formats take turns, round by round, so that a slow minute of the machine hits all of them. Needs the extra `onnx`.
"""
import dataclasses
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from typing import Optional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # not installed: found beside tf2gan

import numpy as np  # noqa: E402

from tf2gan.cli.parser import Parser, run_tool  # noqa: E402
from tf2gan.core.errors import UserError  # noqa: E402


@dataclasses.dataclass
class Options:
    """What is timed, and how often."""

    savedmodel: Optional[str] = None  # an export, such as savedmodels/apple2orange
    rounds: int = 7  # each of all formats in turn
    calls: int = 5  # of each format in a round; their median counts
    batch: int = 16  # images of the larger batch
    threads: int = 2  # that ONNX Runtime and TensorFlow Lite may use; TensorFlow uses all


def main(argv=None):
    """Parses `argv`, measures, prints a table of Markdown."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    if options.savedmodel is None or min(options.rounds, options.calls, options.batch, options.threads) < 1:
        raise UserError("needed: --savedmodel DIR, an export, and numbers of at least 1")

    from tf2gan.core import savedmodel
    from tf2gan.export import formats

    more = formats.Options(tflite_weights="float32,float16,int8")
    formats.check(("onnx", "tflite"), more)
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place) / "1"
        others = shutil.ignore_patterns("onnx", "tflite", "web")
        shutil.copytree(savedmodel.find(options.savedmodel), folder, ignore=others)
        made = {}
        for name in ("onnx", "tflite"):
            try:
                made.update(formats.add(folder, [name], more))
            except UserError as error:
                print(error)
        print("| signature | format | size | 1 image | | "
              f"{options.batch} images | |\n|---|---|---|---|---|---|---|")
        for signature in dict.fromkeys(entry["signature"] for entry in made.values()):
            _table(signature, folder, {file: entry for file, entry in made.items() if entry["signature"] == signature},
                   options)


def _table(signature, folder, entries, options):
    """Prints the rows of a signature: milliseconds, medians over rounds, and their ratio to TensorFlow's."""
    columns = []
    for num in (1, options.batch):
        calls = _calls(signature, folder, entries, num, options.threads)
        for call in calls.values():  # traces, plans, allocates
            call()
        taken = {name: [] for name in calls}
        for _ in range(options.rounds):
            for name, call in calls.items():
                taken[name].append(statistics.median(_seconds(call) for _ in range(options.calls)))
        columns.append(taken)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.parent.name == "variables")
    sizes = {"SavedModel": size + (folder / "saved_model.pb").stat().st_size,
             **{file: entry["bytes"] for file, entry in entries.items()}}
    for name in columns[0]:
        cells = []
        for taken in columns:
            ratios = [mine / theirs for mine, theirs in zip(taken[name], taken["SavedModel"])]
            cells += [f"{1e3 * statistics.median(taken[name]):.1f} ms", f"{statistics.median(ratios):.2f}"]
        print(f"| `{signature}` | `{name}` | {sizes[name] / 1e6:.1f} MB | {' | '.join(cells)} |", flush=True)


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _calls(signature, folder, entries, num, threads):
    """{format: function that computes `num` images once} on the same inputs."""
    import onnxruntime
    import tensorflow as tf

    from tf2gan.core import savedmodel
    from tf2gan.export import formats
    from tf2gan.models import generation

    loaded, card = savedmodel.load(folder), generation.card_of_savedmodel(folder)
    function = loaded.signatures[signature]
    example = formats.example_inputs(function.structured_input_signature[1], loaded, card)[0]
    feed = {name: np.resize(value, [num, *np.shape(value)[1:]]) for name, value in example.items()}
    tensors = {name: tf.constant(value) for name, value in feed.items()}

    def by_tensorflow(owner=loaded):  # a signature does not keep its variables alive
        return {name: value.numpy() for name, value in function(**tensors).items()}

    calls = {"SavedModel": by_tensorflow}
    for file in entries:
        if file.endswith(".onnx"):
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = threads
            session = onnxruntime.InferenceSession(folder / file, settings, providers=["CPUExecutionProvider"])
            calls[file] = lambda session=session: session.run(None, feed)
        else:
            runner = tf.lite.Interpreter(str(folder / file), num_threads=threads).get_signature_runner()
            calls[file] = lambda runner=runner: runner(**feed)
    return calls


if __name__ == "__main__":
    run_tool(main, "formats.py")
