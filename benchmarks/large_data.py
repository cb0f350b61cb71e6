#!/usr/bin/env python
"""What a large set of images costs: time to the first batch, images a second, and memory, against its size.

The images are JPEGs that are made for it, as files and as tar shards. Each case is a process of its own, which trains
nothing: it reads batches as a training at the images' size would.
"""
import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # not installed: found beside tf2gan

from tf2gan.core import quiet  # noqa: E402, F401, before TensorFlow is imported

import numpy as np  # noqa: E402

from tf2gan.cli.parser import Parser, run_tool  # noqa: E402
from tf2gan.core import images  # noqa: E402
from tf2gan.core.errors import Failure, UserError  # noqa: E402

_A_FOLDER, _A_SHARD = 1000, 10_000  # images
_BATCH = 32


@dataclasses.dataclass
class Options:
    """What is made and read."""

    numbers: str = "20000,50000,200000"  # of images, separated by commas
    size: int = 64  # pixels of a side
    batches: int = 300  # that are read after the first
    folder: str = ""  # for the images, which are removed again; none: a temporary one


def main(argv=None):
    """Parses `argv`, measures, prints a table of Markdown."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--read"]:  # a process of `_measured`
        print(json.dumps(read(arguments[1], *map(int, arguments[2:]))))
        return
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(arguments).options
    try:
        numbers = [int(number) for number in options.numbers.split(",")]
    except ValueError as error:
        raise UserError(f"--numbers {options.numbers}: needed: numbers of images, separated by commas") from error
    if min(numbers) < _BATCH or options.size < 16 or options.batches < 1:
        raise UserError(f"--numbers must be at least {_BATCH}, --size at least 16, --batches at least 1")
    print(f"JPEGs of {options.size}x{options.size}, batches of {_BATCH}:\n\n"
          "| images | as | first batch, never seen | first batch, known | images/s | most memory, MB |\n"
          "|---|---|---|---|---|---|")
    for number in numbers:
        with tempfile.TemporaryDirectory(dir=options.folder or None) as folder:
            write(pathlib.Path(folder), number, options.size)
            for kind in ("files", "shards"):
                cold, warm = (_measured(pathlib.Path(folder), kind, options) for _ in range(2))
                print(f"| {number} | {kind} | {cold['first']:.1f} s | {warm['first']:.1f} s | {warm['rate']:.0f} | "
                      f"{cold['memory']:.0f}, {warm['memory']:.0f} |", flush=True)


def write(folder, number, size):
    """Writes `number` JPEGs below files/ and, the same, into tar files below shards/."""
    rng, small = np.random.default_rng(0), max(2, size // 8)
    pictures = [images.encode_image(rng.integers(0, 256, [small, small, 3], np.uint8).repeat(8, 0).repeat(8, 1), ".jpg")
                for _ in range(64)]
    (folder / "shards").mkdir()
    for first in range(0, number, _A_SHARD):
        with tarfile.open(folder / "shards" / f"{first // _A_SHARD:05}.tar", "w") as archive:
            for i in range(first, min(first + _A_SHARD, number)):
                place = folder / "files" / f"{i // _A_FOLDER:05}"
                if i % _A_FOLDER == 0:
                    place.mkdir(parents=True)
                path = place / f"{i:07}.jpg"
                path.write_bytes(pictures[i % len(pictures)])
                os.utime(path, (1e9, 1e9))  # long ago: what has just been written is not remembered
                archive.add(path, f"{i:07}.jpg")


def _measured(folder, kind, options):
    """What `read` returns in a process, whose cache is in `folder`."""
    environment = {**os.environ, "TF2GAN_CACHE_DIR": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, __file__, "--read", str(folder / kind), str(options.size),
                           str(options.batches)], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Failure(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def read(folder, size, batches) -> dict:
    """{"first": seconds to the first batch, "rate": images a second after it, "memory": most MB, less TensorFlow's}."""
    import tensorflow as tf

    from tf2gan.data import load, pipeline

    next(iter(tf.data.Dataset.range(3).map(lambda x: x + 1)))  # TensorFlow's own start
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    split = load.load(folder, ("train",))["train"]
    stream = iter(pipeline.image_batches(split, _Config((size, size)), _BATCH))
    next(stream)
    first = time.monotonic() - began
    began = time.monotonic()
    for _ in range(batches):
        next(stream)
    rate = batches * _BATCH / (time.monotonic() - began)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"first": first, "rate": rate, "memory": (most - before) / 1024}


@dataclasses.dataclass
class _Config:
    """What the pipeline asks of a method's options."""

    image_shape: tuple
    seed: int = 0
    channels: int = 3
    mirror: bool = True


if __name__ == "__main__":
    run_tool(main, "large_data.py")
