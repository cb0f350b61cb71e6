"""The command tf2gan: its subcommands are the tools. A command's modules are imported only when it runs."""
import importlib
import sys

from tf2gan._version import __version__
from tf2gan.cli import plugins
from tf2gan.cli.parser import run_tool
from tf2gan.core.errors import UserError, did_you_mean

# {command: what it does}; its module below tf2gan.cli has the same name.
COMMANDS = {
    "train": "train a GAN, or go on with a run",
    "sample": "generate images: a grid, a folder, or a walk between two",
    "translate": "translate images from A to B or back",
    "classify": "classify images by a semi-supervised GAN",
    "interpolate": "walk through the latent space of a generator",
    "evaluate": "measure a run, an export or a folder of images beside real ones",
    "export": "write a SavedModel for serving, or as ONNX, for phones, for browsers",
    "serve": "answer requests over HTTP by an export",
    "doctor": "tell what this machine has, and why a GPU is not used",
    "report": "write a page of HTML about a run",
}


def run(name):
    """Entry point of tools/NAME.py: runs a command with this process's arguments, and ends with its exit code."""
    _run(name, sys.argv[0].rsplit("/", 1)[-1])


def _run(name, program):
    def command():
        plugins.load(sys.argv[1:])
        return importlib.import_module(f"tf2gan.cli.{name}").main()

    run_tool(command, program)


def main():
    """The command tf2gan."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        sys.exit(0)
    if arguments[0] == "--version":
        print(f"tf2gan {__version__}")
        sys.exit(0)
    name = arguments[0]
    if name not in COMMANDS:
        def refuse():
            raise UserError(f"unknown command {name!r}: {did_you_mean(name, COMMANDS, show=repr)}possible: "
                            f"{', '.join(COMMANDS)}")

        run_tool(refuse, "tf2gan")
    # As if it had been typed as one word: for usage lines, and for the command that a run records.
    sys.argv = [f"tf2gan {name}", *arguments[1:]]
    _run(name, f"tf2gan {name}")


def _help():
    width = max(map(len, COMMANDS))
    return "\n".join(["usage: tf2gan COMMAND [options]", "",
                      "commands (tf2gan COMMAND --help lists a command's options):",
                      *(f"  {name:{width}}  {what}" for name, what in COMMANDS.items())])
