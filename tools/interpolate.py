#!/usr/bin/env python
"""Walks through the latent space of a generator: animations, strips and grids between seeds, steps along a direction,
the way to the latent of a given image. Without --module the generator is savedmodels/MODULE beside this tool, wherever
it is called from. Without anything, it is a closed walk through six seeds.
"""
import pathlib
import sys

from tf2gan import cli
from tf2gan.interpolation_options import Options

MODULE = pathlib.Path(__file__).resolve().parent.parent / "savedmodels" / "progan-mnist"


def main(argv=None):
    """Parses `argv`, walks, and prints what was written where."""
    parser = cli.Parser(description=__doc__.replace("MODULE", MODULE.name))
    parser.add_arguments(Options, "options")
    options = parser.parse_args(cli.normalized(sys.argv[1:] if argv is None else argv)).options
    options.check()

    from tf2gan import interpolation  # --help needs no networks

    for line in interpolation.run(options, MODULE):
        print(line)


if __name__ == "__main__":
    cli.run(main)
