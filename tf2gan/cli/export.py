"""Exports a run as a SavedModel for TensorFlow Serving, with warm-up requests and a model card; also as ONNX or TFLite.

`--run RUN --output MODEL` makes a new version; `--from MODEL --format onnx` adds a format to an export that exists.
"""
import dataclasses
import sys
from typing import Optional

from tf2gan.cli.parser import Parser
from tf2gan.core.errors import UserError, flag


@dataclasses.dataclass
class Options:
    """What to export, and where."""

    run: Optional[str] = None  # folder of a run, as tools/train.py writes it
    output: Optional[str] = None  # folder of the model's versions, such as savedmodels/apple2orange; created if needed
    format: str = "savedmodel"  # comma-separated: savedmodel, onnx and web (they need the extra onnx), tflite
    image_size: Optional[int] = None  # fixed pixels a side of translators in other formats; none: any
    tflite_weights: str = "float32"  # comma-separated: float32, float16, int8
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
    parser.add_argument("--from", dest="export", metavar="str",
                        help="an export that exists, to add formats to, instead of --run and --output")
    parsed = parser.parse_args(argv)
    options, source = parsed.options, parsed.export
    if (source is None) == (options.run is None):
        raise UserError("needed: --run RUN --output MODEL, for a new version, or --from MODEL, an export that exists")
    if source is None and options.output is None:
        raise UserError("--output is needed: the folder of the model's versions")
    for name in ("output", "version", "data_license") if source is not None else ():
        if getattr(options, name) is not None:
            raise UserError(f"{flag(name)} {getattr(options, name)}: is for --run, not for --from")

    from tf2gan.core import savedmodel
    from tf2gan.export import exporter, formats
    from tf2gan.runs.record import check_outside_data  # --help needs no networks
    from tf2gan.runs.restore import load_gan

    names = formats.parsed(options.format, new=source is None, where=source)
    formats.check(names, options)
    if source is not None:
        folder = formats.folder_of(source, names)
        _tell(folder, formats.add(folder, names, options))
        return
    exporter.check_target(options.output, options.version)
    check_outside_data(options.run, options.output, "--output")
    gan, record = load_gan(options.run, options.checkpoint)
    folder = exporter.export(gan, options.output, options.version, {**record, "data_license": options.data_license})
    print(folder)
    made = formats.add(folder, names, options) if names else {}
    for name, signature in savedmodel.load(folder).signatures.items():
        print(f"  {name}: {_fields(signature.structured_input_signature[1])} -> "
              f"{_fields(signature.structured_outputs)}")
    _tell(None, made)


def _tell(folder, made):
    from tf2gan.export import formats

    for line in ([folder] if folder else []) + formats.lines(made):
        print(line)


def _fields(specs):
    return ", ".join(f"{name} {spec.dtype.name} {spec.shape.as_list()}" for name, spec in specs.items())
