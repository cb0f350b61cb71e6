"""Generates images with a trained GAN: a grid, a folder of images, or a walk between the latents of two seeds."""
import dataclasses
import os
import pathlib
import re
from typing import Optional

import numpy as np

from tf2gan.cli.parser import Parser
from tf2gan.core.errors import UserError

MOST_IMAGES, HIGHEST_SEED = 10 ** 6, 2 ** 63 - 1
NUM, NUM_OF_EACH_CLASS, FRAMES = 16, 8, 8
AT_ONCE = 256  # images in memory, if each is written to a file of its own


@dataclasses.dataclass
class Options:
    """What to generate, with which model, and where."""

    output: str  # one grid if it ends in .png, .jpg and so on; else a folder of PNG files, with subfolders for classes
    run: Optional[str] = None  # folder of a run, as tools/train.py writes it; this or --savedmodel
    checkpoint: Optional[str] = None  # of the run: latest, best (of --keep-best), or its images seen; none: latest
    savedmodel: Optional[str] = None  # savedmodels/NAME (its highest version) or savedmodels/NAME/VERSION
    num: Optional[int] = None  # number of images, of each class if there are several; none: 16, or 8 of each class
    seed: Optional[int] = None  # seed of the latents; the first images do not depend on --num; none: 0
    label: Optional[str] = None  # one class of a conditional model, by name or number
    labels: Optional[str] = None  # classes, one row each: 0-9, or 0,3,7, or comma-separated names; none: all
    truncation: Optional[float] = None  # limit of latent values, uniform: up to 1; smaller: more typical, less varied
    walk: Optional[str] = None  # SEED,SEED: from the first image of one seed to that of another, in one row
    frames: Optional[int] = None  # number of images of a walk, both ends included; none: 8
    overwrite: bool = False  # replace existing output files


def main(argv=None):
    """Parses `argv`, generates, and prints how many images were written where."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(argv).options
    seeds = _checked(options)

    from tf2gan.core import images, progress
    from tf2gan.latent_space.interpolation import between_seeds
    from tf2gan.models import generation, translation
    from tf2gan.runs.record import check_outside_data  # --help needs no networks
    from tf2gan.runs.restore import load_gan

    if options.run is not None:
        traits = generation.traits_of_run(options.run)
    else:
        traits = generation.traits_of_savedmodel(options.savedmodel)
    traits.check_truncation(options.truncation)
    labels = _labels(options, traits)
    if options.walk:
        num = options.frames or FRAMES
    else:
        num = options.num or (NUM_OF_EACH_CLASS if len(labels) > 1 else NUM)
    output = pathlib.Path(options.output)
    is_grid = output.suffix.lower() in images.OUTPUT_SUFFIXES and not options.output.endswith(os.sep)
    if is_grid:
        images.encode_image(np.zeros([1, 1, 3], np.uint8), output.suffix)  # not every Pillow build writes every format
    folders = {label: output if label is None else output / _folder_name(traits, label) for label in labels}
    targets = [output] if is_grid else [folders[label] / f"{i:06}.png" for label in labels for i in range(num)]
    if options.run is not None:
        check_outside_data(options.run, output, "--output")
    translation.check_outputs([(None, target) for target in targets], options.overwrite)

    if options.run is not None:
        sampler = generation.Sampler.from_gan(load_gan(options.run, options.checkpoint or "latest")[0])
    else:
        sampler = generation.Sampler.from_savedmodel(options.savedmodel)
    if options.walk:
        latents = between_seeds(sampler, *seeds, num, options.truncation)
    else:
        latents = sampler.latents(num, *seeds, options.truncation)
    with progress.Counter("generating", num * len(labels)) as counter:
        def generate(label, part):
            of_class = None if label is None else np.full(len(part), label)
            return sampler.images(part, of_class, progress=counter)

        if is_grid:
            rows = np.stack([generate(label, latents) for label in labels])
            titles = [traits.class_name(label) for label in labels] if len(labels) > 1 else None
            rows = rows if titles or options.walk else images.squared(rows[0])
            images.write_image(output, images.grid(images.enlarged(rows), row_titles=titles))
        else:
            for label in labels:
                for start in range(0, num, AT_ONCE):
                    for i, picture in enumerate(generate(label, latents[start:start + AT_ONCE]), start):
                        images.write_image(folders[label] / f"{i:06}.png", picture)
    print(f"{num * len(labels)} image{'s' * (num * len(labels) > 1)} written to {options.output}")


def _checked(options):
    """The seeds of `options`: one, or two for a walk. Raises UserError for what is wrong with any model."""
    for one, other in (("run", "savedmodel"), ("label", "labels"), ("walk", "seed"), ("walk", "num")):
        both = [getattr(options, name) is not None for name in (one, other)]
        if all(both) or one == "run" and not any(both):
            raise UserError(f"give {'one' if one == 'run' else 'only one'} of --{one} and --{other}")
    if options.checkpoint is not None and options.savedmodel is not None:
        raise UserError("--checkpoint: is of a --run; a --savedmodel has only what was exported")
    if options.frames is not None and options.walk is None:
        raise UserError("--frames: is for a --walk; --num is the number of other images")
    for name, least in (("num", 1), ("frames", 2)):
        value = getattr(options, name)
        if value is not None and not least <= value <= MOST_IMAGES:
            raise UserError(f"--{name} {value}: must be from {least} to {MOST_IMAGES}")
    if options.walk is not None and not re.fullmatch(r"[0-9]+,[0-9]+", options.walk):
        raise UserError(f"--walk {options.walk}: must be two seeds with a comma between, such as 1,2")
    seeds = [options.seed or 0] if options.walk is None else [int(seed) for seed in options.walk.split(",")]
    for seed in seeds:
        if not 0 <= seed <= HIGHEST_SEED:
            raise UserError(f"--{'seed' if options.walk is None else 'walk'} {seed}: must be from 0 to {HIGHEST_SEED}")
    return seeds


def _labels(options, traits):
    """The labels to generate; [None] if the model takes none."""
    if options.label is not None:
        return [traits.label(options.label)]
    if options.labels is not None:
        return traits.labels(options.labels)
    return [None] if traits.num_classes is None else list(range(traits.num_classes))


def _folder_name(traits, label):
    """The name of the class if it can be a folder name; else class_LABEL."""
    name = traits.class_name(label)
    return name if name.isprintable() and name[:1] not in ("", ".") and os.sep not in name else f"class_{label}"
