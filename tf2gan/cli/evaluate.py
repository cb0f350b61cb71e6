"""Evaluates runs, an export or a folder of images against real ones: FID, KID, precision, recall, accuracy and more."""
import dataclasses
import json
import pathlib
import re
import sys
from typing import List, Literal, Optional

from tf2gan.cli.parser import Parser
from tf2gan.core import files, terminal
from tf2gan.core.errors import UserError


@dataclasses.dataclass
class Options:
    """What to evaluate, against what, and how"""

    run: Optional[List[str]] = None  # folder of a run, or of several to compare; this, --savedmodel or --images
    savedmodel: Optional[str] = None  # savedmodels/NAME (its highest version) or savedmodels/NAME/VERSION
    images: Optional[str] = None  # folder of images, at any depth
    against: Optional[str] = None  # data set or folder of real images; none: the model's training data set
    split: Optional[str] = None  # split of the real images; none: test if there is one, else validation, else train
    metrics: Optional[str] = None  # from fid,kid,is,pr,dc,swd,ms-ssim,classes,accuracy; none: accuracy, or all but swd
    extractor: Optional[str] = None  # imagenet, classifier, inception[:PATH], savedmodel:PATH...; none: by colour
    num: Optional[int] = None  # images of each set; none: as many as there are real ones, up to 10000; accuracy: all
    seed: int = 0  # seed of the latents, and of the choice of real images
    image_size: Optional[str] = None  # N or HEIGHTxWIDTH to which --images and --against are resized; none: unchanged
    checkpoint: str = "latest"  # of a run: latest, best, or its images seen
    weights: Literal["averaged", "raw"] = "averaged"  # of a run: averaged over training, or as trained
    data_dir: Optional[str] = None  # where tensorflow-datasets keeps its data; none: as in training
    skip_unreadable: bool = False  # skip files of --images and --against that cannot be read
    nearest: Optional[str] = None  # folder for pictures of samples beside their nearest training images
    add: bool = False  # of one run: keep the figures of its last evaluation beside these, such as of another extractor
    json: Optional[str] = None  # also write the metric values and their protocol to this file


def main(argv=None):
    """Parses `argv`, evaluates, and prints the table and the protocol."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    size = _checked(options)

    from tf2gan.evaluation import results  # --help needs no networks
    from tf2gan.evaluation.comparison import Settings
    from tf2gan.evaluation.evaluate import evaluate_images, evaluate_savedmodel

    settings = Settings(options.metrics, options.extractor, options.num, options.seed, show_progress=True)
    settings.check()
    if options.run is not None:
        result = _of_runs(options, settings)
    elif options.savedmodel is not None:
        result = evaluate_savedmodel(options.savedmodel, settings, options.against, options.split,
                                     options.data_dir, options.nearest)
    else:
        result = evaluate_images(options.images, options.against, settings, size, options.split,
                                 options.data_dir, options.skip_unreadable, options.nearest)
    if "runs" in result:
        terminal.tell(result["summary" if "summary" in result else "comparison"]["table"])
    else:
        _tell(result)
    if options.json:  # after the results are shown, which may have taken hours
        results.write(result, options.json)


def _tell(result):
    terminal.tell(result["table"])
    terminal.tell("\n".join(["\nprotocol:", *(f"  {name}: {value if isinstance(value, str) else json.dumps(value)}"
                                              for name, value in result["protocol"].items())]))


def _of_runs(options, settings):
    """The record of a run; for several, prints the table of each and returns all records and their summary.

    The summary is a mean if they differ in their seeds alone, else a comparison.
    """
    from tf2gan.evaluation import beside, over_runs, results
    from tf2gan.evaluation.evaluate import evaluate_run
    from tf2gan.runs import run_folder
    from tf2gan.runs.record import grouped

    over_runs.check(options.run, same_data=options.against is None)
    first = beside.last(options.run[0], options.checkpoint, options.weights) if options.add else None
    records = []
    for path in options.run:
        records.append(evaluate_run(path, settings, options.against, options.split, options.data_dir,
                                    options.checkpoint, options.weights, options.nearest))
        if len(options.run) > 1:
            terminal.tell(f"{path}:\n{records[-1]['table']}\n")
        if first is not None:
            records[-1] = beside.joined(first, records[-1])
        # For the model card of an export, and the report.
        results.store(records[-1], run_folder.Run(path).evaluation_file)
    if len(records) == 1:
        return records[0]
    result = {"runs": [{"run": path, **record} for path, record in zip(options.run, records)]}
    runs = [run_folder.Run(path).record for path in options.run]
    if len(grouped(runs)) == 1:
        return {**result, "summary": over_runs.summary(records)}
    return {**result, "comparison": over_runs.comparison(records, runs, options.run)}


def _checked(options):
    """(height, width) of --image-size, or None. Raises UserError for what is wrong with any model."""
    given = [name for name in ("run", "savedmodel", "images") if getattr(options, name) is not None]
    if len(given) != 1:
        raise UserError("give one of --run, --savedmodel and --images")
    if options.run == []:
        raise UserError("--run: needed: the folder of a run, or of several")
    if options.nearest is not None and options.run is not None and len(options.run) > 1:
        raise UserError("--nearest: is for one --run, whose pictures the next one's would replace")
    if options.add and (options.run is None or len(options.run) > 1):
        raise UserError("--add: is for one --run, whose evaluation is kept in its folder")
    if options.images is not None and options.against is None:
        raise UserError("--images: --against is needed: a data set or a folder of real images")
    for name, kinds in (("image_size", ("images",)), ("skip_unreadable", ("images",)),
                        ("checkpoint", ("run",)), ("weights", ("run",))):
        if getattr(options, name) != getattr(Options, name) and given[0] not in kinds:
            raise UserError(f"--{name.replace('_', '-')} is for --{kinds[0]} only")
    if options.num is not None and options.num < 2:
        raise UserError(f"--num {options.num}: must be at least 2")
    if options.json and not pathlib.Path(options.json).absolute().parent.is_dir():
        raise UserError(f"--json {options.json}: no such folder")
    if options.json and pathlib.Path(options.json).is_dir():
        raise UserError(f"--json {options.json}: is a folder; needed: a file's name")
    if options.json:
        files.check_writable(pathlib.Path(options.json).absolute().parent)
    if options.nearest is not None:
        files.check_writable(options.nearest)
    if options.image_size is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]*(x[1-9][0-9]*)?", options.image_size):
        raise UserError(f"--image-size {options.image_size}: must be N or HEIGHTxWIDTH, such as 128 or 96x160")
    sizes = [int(number) for number in options.image_size.split("x")]
    return sizes[0], sizes[-1]
