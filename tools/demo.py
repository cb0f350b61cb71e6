#!/usr/bin/env python
"""The whole way in a few minutes: trains CycleGAN on built-in images, translates held-out ones, exports."""
import pathlib
import shlex
import subprocess
import sys

import tf2gan
from tf2gan.cli.parser import run_tool
from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import load

DATASET = "synthetic_apple2orange/128"
IMAGE_SIZE = 96  # the 128 of the defaults would take twice as long
STEPS = 1200
NUM_HELD_OUT = 12  # of each fruit


def main():
    arguments = sys.argv[1:]
    if arguments in (["-h"], ["--help"]):
        print(f"usage: demo.py\n\n{__doc__}\nWrites to demo/NNN, the next free number; takes 3 to 10 minutes and no "
              "options.")
        return
    if arguments == ["--version"]:
        print(f"tf2gan {tf2gan.__version__}")
        return
    if arguments:
        raise UserError(f"unknown argument {arguments[0]}: it takes none; --help says what it does")
    folder = next(path for path in (pathlib.Path("demo", f"{number:03d}") for number in range(1, 1000))
                  if not path.exists())
    tool("train", "--model", "cyclegan", "--dataset", DATASET, "--image-size", IMAGE_SIZE, "--steps", STEPS,
         "--run-dir", folder / "run")
    write_held_out(folder / "held_out")
    for direction, split in (("a2b", "testA"), ("b2a", "testB")):
        tool("translate", "--run", folder / "run", "--direction", direction, "--input", folder / "held_out" / split,
             "--output", folder / "translated" / direction)
    tool("export", "--run", folder / "run", "--output", folder / "savedmodels" / "apple2orange")
    grid = max((folder / "run" / "samples").iterdir())
    print(f"\nsample grid:       {grid}\n"
          f"TensorBoard log:   {shlex.quote(sys.executable)} -m tensorboard.main --logdir {folder / 'run'}\n"
          f"translated images: {folder / 'translated'} (from {folder / 'held_out'})\n"
          f"SavedModel:        {folder / 'savedmodels' / 'apple2orange' / '1'}")


def tool(name, *arguments):
    """Runs one of the tools as a user would, and stops where it fails."""
    arguments = [str(argument) for argument in arguments]
    print("\n$", shlex.join([f"tools/{name}.py", *arguments]), flush=True)
    code = subprocess.call([sys.executable, str(pathlib.Path(__file__).with_name(f"{name}.py")), *arguments])
    if code:
        sys.exit(code)


def write_held_out(folder):
    """Test images, which training has not seen, as files."""
    for name, split in load.load(DATASET, ("testA", "testB")).items():
        for number, record in enumerate(split.records.take(NUM_HELD_OUT)):
            images.write_image(folder / name / f"{number:02d}.png", split.decode(record)["image"].numpy())


if __name__ == "__main__":
    run_tool(main, "demo.py")
