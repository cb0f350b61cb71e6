"""Exports the generators of a run as a SavedModel for TensorFlow Serving, with warm-up requests and a model card."""
import dataclasses
import sys
from typing import Optional

from tf2gan.cli.parser import Parser


@dataclasses.dataclass
class Options:
    """What to export, and where."""

    run: str  # folder of a run, as tools/train.py writes it
    output: str  # folder of the model's versions, such as savedmodels/apple2orange; created if needed
    version: Optional[int] = None  # number of the version; none: one above the highest existing version
    checkpoint: str = "latest"  # of the run: latest, best (of --keep-best), or its images seen
    data_license: Optional[str] = None  # terms of the training data, for the model card


def main(argv=None):
    """Parses `argv`, exports, and prints the new folder and its signatures."""
    argv = sys.argv[1:] if argv is None else argv
    if list(argv) == ["--version"]:  # alone it asks for the version of tf2gan, as with every tool
        Parser().parse_args(argv)
    parser = Parser(description=__doc__, conflict_handler="resolve")
    parser.add_arguments(Options, "options")
    options = parser.parse_args(argv).options

    from tf2gan.core import savedmodel
    from tf2gan.export import exporter
    from tf2gan.runs.record import check_outside_data  # --help needs no networks
    from tf2gan.runs.restore import load_gan

    exporter.check_target(options.output, options.version)
    check_outside_data(options.run, options.output, "--output")
    gan, record = load_gan(options.run, options.checkpoint)
    folder = exporter.export(gan, options.output, options.version, {**record, "data_license": options.data_license})
    print(folder)
    for name, signature in savedmodel.load(folder).signatures.items():
        print(f"  {name}: {_fields(signature.structured_input_signature[1])} -> "
              f"{_fields(signature.structured_outputs)}")


def _fields(specs):
    return ", ".join(f"{name} {spec.dtype.name} {spec.shape.as_list()}" for name, spec in specs.items())
