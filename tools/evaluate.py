#!/usr/bin/env python
"""Measures a run: translations on the test splits, samples by a classifier of the data; the table goes to stdout."""
import dataclasses
import json
import pathlib
import sys
from typing import Optional

from tf2gan import cli
from tf2gan.errors import UserError


@dataclasses.dataclass
class Options:
    """What to measure"""

    run: str  # folder of a run, as tools/train.py writes it
    data_dir: Optional[str] = None  # where tensorflow-datasets keeps its data; none: as in training
    num: Optional[int] = None  # images of each test split (none: all); samples (1000), or samples of each class (100)
    json: Optional[str] = None  # also write the figures and their protocol to this file


def main(argv=None):
    parser = cli.Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(cli.normalized(sys.argv[1:] if argv is None else argv)).options
    if options.num is not None and options.num < 1:
        raise UserError(f"--num {options.num}: must be at least 1")
    if options.json and not pathlib.Path(options.json).absolute().parent.is_dir():
        raise UserError(f"--json {options.json}: no such folder")
    if options.json and pathlib.Path(options.json).is_dir():
        raise UserError(f"--json {options.json}: is a folder; needed: a file's name")

    from tf2gan import evaluation, files, runs  # --help needs no networks

    result = evaluation.evaluate(options.run, options.data_dir, options.num, sys.stderr.isatty())
    text = json.dumps(result, indent=2) + "\n"
    for path in (runs.Run(options.run).evaluation_file, options.json):  # the first is for the model card of an export
        if path:
            files.write_atomically(path, text)
    print(json.dumps(result["protocol"]))
    print(evaluation.table(result))


if __name__ == "__main__":
    cli.run(main)
