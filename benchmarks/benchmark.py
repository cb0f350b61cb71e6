#!/usr/bin/env python
"""Times training against the book's way (predict and train_on_batch), a plain one-step tf.function and PyTorch."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # not installed: found beside tf2gan

from benchmarks import running  # noqa: E402
from benchmarks.options import Options  # noqa: E402
from tf2gan.cli.parser import Parser, normalized, run_tool  # noqa: E402


def main(argv=None):
    """Parses `argv`, measures, prints tables."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(normalized(sys.argv[1:] if argv is None else argv)).options
    running.run(options, say=lambda text: print(text, flush=True))


if __name__ == "__main__":
    run_tool(main, "benchmark.py")
