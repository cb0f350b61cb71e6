"""Classifies an image, or all images of a folder: labels with their probabilities, as CSV, JSON or a table.

If the images are in subfolders named after classes, it also prints the accuracy.
"""
import dataclasses
import pathlib
from typing import Optional

from tf2gan.cli.parser import Parser
from tf2gan.core.errors import UserError

TOP = 3


@dataclasses.dataclass
class Options:
    """What to classify, with which model, and where to write the results."""

    input: str  # an image, or a folder of images at any depth
    output: Optional[str] = None  # FILE.csv or FILE.json: label and all probabilities of each image; none: a table
    run: Optional[str] = None  # folder of a run, as tools/train.py writes it; this or --savedmodel
    checkpoint: Optional[str] = None  # of the run: latest, best (of --keep-best), or its images seen; none: latest
    savedmodel: Optional[str] = None  # savedmodels/NAME (its highest version) or savedmodels/NAME/VERSION
    top: Optional[int] = None  # number of most probable labels per image in the table; none: 3
    overwrite: bool = False  # replace an existing output file
    skip_unreadable: bool = False  # skip images of a folder that cannot be read


def main(argv=None):
    """Parses `argv`, classifies, and prints the table, or how many results were written where, and the accuracy."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(argv).options
    _check(options)

    from tf2gan.core import images, progress, terminal
    from tf2gan.data import folders
    from tf2gan.models import classification
    from tf2gan.runs.restore import load_gan  # --help needs no networks

    if options.output is not None:
        classification.check_output(options.output, options.overwrite)
    names = classification.plan(options.input)
    is_folder = pathlib.Path(options.input).is_dir()
    if not is_folder:
        images.read_image(options.input)  # read again later, which costs less than loading a model in vain
    if options.savedmodel is not None:
        classifier = classification.Classifier.from_savedmodel(options.savedmodel)
    else:
        gan, _ = load_gan(options.run, options.checkpoint or "latest")
        classifier = classification.Classifier.from_gan(gan)
    if is_folder:
        with progress.Counter("reading", len(names)) as counter:
            readable, skipped, *_ = folders.check({options.input: list(names)}, options.skip_unreadable, counter)
        for path, reason in skipped:
            terminal.say(f"skipped {path}: {reason}")
        names = {path: names[path] for path in readable[options.input]}
    with progress.Counter("classifying", len(names)) as counter:
        probabilities = classification.classify_files(classifier, names, counter)
    answers = list(names.values()), probabilities, classifier.class_names
    if options.output is None:
        print(classification.as_table(*answers, options.top or TOP))
    else:
        classification.write(options.output, *answers)
        print(f"{len(names)} image{'s' * (len(names) != 1)} classified, written to {options.output}")
    labels = classification.labels_of_folders(names.values(), classifier.class_names) if is_folder else None
    if labels is not None:
        print(f"\n{classification.accuracy_table(labels, probabilities, classifier.class_names)}")


def _check(options):
    """Raises UserError for what is wrong with any model."""
    if (options.run is None) == (options.savedmodel is None):
        raise UserError("give one of --run and --savedmodel")
    if options.checkpoint is not None and options.savedmodel is not None:
        raise UserError("--checkpoint: is of a --run; a --savedmodel has only what was exported")
    if options.top is not None and options.output is not None:
        raise UserError("--top: is for the table; an --output has the probabilities of all classes")
    if options.top is not None and options.top < 1:
        raise UserError(f"--top {options.top}: must be at least 1")
