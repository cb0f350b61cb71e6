"""Translates an image, or all images of a folder, from A to B or back, at full size."""
import dataclasses
import pathlib
from typing import Literal, Optional

from tf2gan.cli.parser import Parser
from tf2gan.core.errors import UserError
from tf2gan.latent_space.walk_options import HIGHEST_SEED, MOST_IMAGES


@dataclasses.dataclass
class Options:
    """What to translate, with which model, and where."""

    input: str  # an image, or a folder of images at any depth; names are kept
    output: str  # the folder to write to; for a single image, this may also be a file name
    direction: Optional[Literal["a2b", "b2a"]] = None  # a2b: from A to B; b2a: from B to A; none: the model's only one
    run: Optional[str] = None  # folder of a run, as tools/train.py writes it; this or --savedmodel
    checkpoint: Optional[str] = None  # of the run: latest, best (of --keep-best), or its images seen; none: latest
    savedmodel: Optional[str] = None  # savedmodels/NAME (its highest version) or savedmodels/NAME/VERSION
    num: Optional[int] = None  # translations of each image, for a model with styles: NAME-1.png, NAME-2.png ...
    seed: Optional[int] = None  # of the styles of --num; none: 0
    style: Optional[str] = None  # an image, such as come out, whose style to take, for a model with styles
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
    if options.num is not None and not 1 <= options.num <= MOST_IMAGES:
        raise UserError(f"--num {options.num}: must be from 1 to {MOST_IMAGES}")
    if options.seed is not None and options.num is None:
        raise UserError(f"--seed {options.seed}: is of the styles of --num")
    if options.seed is not None and not 0 <= options.seed <= HIGHEST_SEED:
        raise UserError(f"--seed {options.seed}: must be from 0 to {HIGHEST_SEED}")
    if options.style is not None and options.num is not None:
        raise UserError("give one of --style and --num: a style makes one translation of each image")

    from tf2gan.core import images, progress, terminal
    from tf2gan.data import folders
    from tf2gan.models import translation
    from tf2gan.runs.record import check_outside_data  # --help needs no networks
    from tf2gan.runs.restore import load_gan

    pairs = translation.plan(options.input, options.output)
    sources = [source for source, _ in pairs]
    if options.num is not None:
        pairs = translation.varied(pairs, options.num)
    if options.run is not None:
        check_outside_data(options.run, options.output, "--output")
    translation.check_outputs(pairs, options.overwrite)
    is_folder = pathlib.Path(options.input).is_dir()
    if not is_folder:
        images.read_image(options.input)  # read again later, which costs less than loading a model in vain
    style = None if options.style is None else images.read_image(options.style)
    if options.savedmodel is not None:
        translator = translation.Translator.from_savedmodel(options.savedmodel,
                                                            options.direction and [options.direction])
    else:
        translator = translation.Translator.from_gan(load_gan(options.run, options.checkpoint or "latest")[0])
    direction = options.direction or translator.only_direction()
    if options.num is not None:
        styles = translator.styles(options.num, options.seed or 0)
    else:
        styles = None if style is None else translator.style_of(style, direction)[None]
    if is_folder:
        with progress.Counter("reading", len(sources)) as counter:
            readable, skipped, *_ = folders.check({options.input: sources}, options.skip_unreadable, counter)
        for path, reason in skipped:
            terminal.say(f"skipped {path}: {reason}")
        kept = set(readable[options.input])
        pairs = [pair for pair in pairs if pair[0] in kept]
    with progress.Counter("translating", len(pairs)) as counter:
        translation.translate_files(translator, pairs, direction, counter, styles)
    print(f"{len(pairs)} image{'s' * (len(pairs) != 1)} written to {options.output}")
