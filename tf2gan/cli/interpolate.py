"""Walks through the latent space of a generator: animations, strips and grids between seeds, steps along a direction,
the projection of a given image. Without --module and --run, the generator is savedmodels/MODULE of the repository from
which tf2gan runs. Without options, the tool makes a closed walk through six seeds.
"""
import pathlib
import sys

from tf2gan.cli.parser import Parser
from tf2gan.core.errors import UserError
from tf2gan.latent_space.walk_options import Options

MODULE = pathlib.Path(__file__).resolve().parents[2] / "savedmodels" / "progan-mnist"


def main(argv=None):
    """Parses `argv`, walks, and prints which files were written."""
    parser = Parser(description=__doc__.replace("MODULE", MODULE.name))
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    options.check()
    if options.module is None and options.run is None and not MODULE.is_dir():
        raise UserError("give one of --module and --run: the generator that would be taken else comes with the "
                        "repository, which this is not")

    from tf2gan.latent_space import walks  # --help needs no networks

    for line in walks.run(options, MODULE):
        print(line)
