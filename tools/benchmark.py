#!/usr/bin/env python
"""Times a training beside the book's way (predict and train_on_batch), a plain one-step tf.function and PyTorch."""
import sys

from tf2gan import cli
from tf2gan.benchmark import running
from tf2gan.benchmark.options import Options


def main(argv=None):
    """Parses `argv`, measures, prints tables."""
    parser = cli.Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(cli.normalized(sys.argv[1:] if argv is None else argv)).options
    running.run(options, say=lambda text: print(text, flush=True))


if __name__ == "__main__":
    cli.run(main)
