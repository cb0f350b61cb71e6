"""Translates an image, or all images of a folder, from A to B or back, at full size."""
import dataclasses
import pathlib
from typing import Literal, Optional

from tf2gan.cli.parser import Parser
from tf2gan.core.errors import UserError


@dataclasses.dataclass
class Options:
    """What to translate, with which model, and where."""

    input: str  # an image, or a folder of images at any depth; names are kept
    output: str  # the folder to write to; for a single image, this may also be a file name
    direction: Optional[Literal["a2b", "b2a"]] = None  # a2b: from A to B; b2a: from B to A; none: the model's only one
    run: Optional[str] = None  # folder of a run, as tools/train.py writes it; this or --savedmodel
    checkpoint: Optional[str] = None  # of the run: latest, best (of --keep-best), or its images seen; none: latest
    savedmodel: Optional[str] = None  # savedmodels/NAME (its highest version) or savedmodels/NAME/VERSION
    overwrite: bool = False  # replace existing output files
    skip_unreadable: bool = False  # skip images of a folder that cannot be read


def main(argv=None):
    """Parses `argv`, translates, and prints how many images were written where."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(argv).options
    if (options.run is None) == (options.savedmodel is None):
        raise UserError("give one of --run and --savedmodel")
    if options.checkpoint is not None and options.savedmodel is not None:
        raise UserError("--checkpoint: is of a --run; a --savedmodel has only what was exported")

    from tf2gan.core import images, progress, terminal
    from tf2gan.data import folders
    from tf2gan.models import translation
    from tf2gan.runs.record import check_outside_data  # --help needs no networks
    from tf2gan.runs.restore import load_gan

    pairs = translation.plan(options.input, options.output)
    if options.run is not None:
        check_outside_data(options.run, options.output, "--output")
    translation.check_outputs(pairs, options.overwrite)
    is_folder = pathlib.Path(options.input).is_dir()
    if not is_folder:
        images.read_image(options.input)  # read again later, which costs less than loading a model in vain
    if options.savedmodel is not None:
        translator = translation.Translator.from_savedmodel(options.savedmodel,
                                                            options.direction and [options.direction])
    else:
        translator = translation.Translator.from_gan(load_gan(options.run, options.checkpoint or "latest")[0])
    direction = options.direction or translator.only_direction()
    if is_folder:
        with progress.Counter("reading", len(pairs)) as counter:
            readable, skipped, *_ = folders.check({options.input: [source for source, _ in pairs]},
                                                 options.skip_unreadable, counter)
        for path, reason in skipped:
            terminal.say(f"skipped {path}: {reason}")
        kept = set(readable[options.input])
        pairs = [pair for pair in pairs if pair[0] in kept]
    with progress.Counter("translating", len(pairs)) as counter:
        translation.translate_files(translator, pairs, direction, counter)
    print(f"{len(pairs)} image{'s' * (len(pairs) != 1)} written to {options.output}")
