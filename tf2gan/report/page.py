"""A run as one self-contained HTML page: pictures, curves and metrics are embedded, so that it can be handed on."""
import base64
import dataclasses
import datetime
import io
import json
import os
import pathlib
import re

import jinja2
import numpy as np
from PIL import Image
from simple_parsing import docstring

import tf2gan
from tf2gan.core import files, images
from tf2gan.core.errors import UserError, flag, printable
from tf2gan.evaluation import classified
from tf2gan.export import model_card
from tf2gan.gans import GANS
from tf2gan.models import generation, translation
from tf2gan.report import curves, faults
from tf2gan.runs import run_folder
from tf2gan.runs.record import from_record
from tf2gan.runs.restore import load_gan
from tf2gan.training import early_stopping, summary
from tf2gan.training.options import Options

NAME = "report.html"  # in the run's folder
MOST_FRAMES = 40  # sample grids on a page; a long run has hundreds
FRAME_BYTES = 3_000_000  # if all frames together are larger, they are compressed with loss
NUM, NUM_OF_EACH_CLASS, MOST_CLASSES = 64, 8, 20  # final samples
SHOWN_WIDTH = 560  # pixels, up to which small pictures are enlarged

_TEMPLATES = pathlib.Path(__file__).with_name("templates")
MARK = '<meta name="generator" content="tf2gan report">'  # identifies a file as a report
_MARK_WITHIN = 1000  # bytes from the start of the file
_PLACES = ("run_dir", "data_dir")  # options that are only paths on the machine
_BY_DATA = ("image_size", "channels", "num_classes")  # None: as in the data; a run records the value
_COLUMNS = {"model": "this model", "pixels": "by pixels alone", "source_only": "by the source alone",
            "target_labels": "by the target's labels", "baseline": "labels alone", "fully_supervised": "all labels",
            "untrained": "untrained", "input": "input", "real_train": "training data", "reference": "reference data"}
_SHADES = 8  # of the cells of a confusion matrix, by their share of the row; their colours are in style.css


def check_output(run_dir, output=None, overwrite=False):
    """The pathlib.Path that `write` would write, checked before any work.

    Raises UserError if `run_dir` is not a run, if the file cannot be written, and, unless `overwrite`, if `output`
    exists and is not a report.
    """
    run_folder.Run(run_dir)
    path = pathlib.Path(run_dir, NAME) if output is None else pathlib.Path(output)
    what = f"cannot write {printable(path)}"
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{what}: a report is a page of HTML; needed: a name that ends in .html")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{what}: no such folder: {printable(path.parent)}")
    translation.check_outputs([(None, path)], overwrite or output is None or _is_report(path))
    return path


def _is_report(path):
    try:
        with open(path, "rb") as file:
            return MARK.encode() in file.read(_MARK_WITHIN)
    except OSError:
        return False


def write(run_dir, output=None, overwrite=False, own=None):
    """Writes the report of the run in the folder `run_dir` to `output`, by default to report.html in that folder.

    Returns the pathlib.Path written. Raises UserError like `render` and `check_output`; the file is then unchanged.
    """
    path = check_output(run_dir, output, overwrite)
    return put(path, render(run_dir, own))


def put(path, text):
    """Writes a page, completely or not at all; returns `path`. Raises UserError if it cannot be written."""
    try:
        files.write_atomically(path, text, durable=False)
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {error.strerror}") from error
    return path


def render(run_dir, own=None) -> str:
    """The page, from what the run has so far. Without a checkpoint, for example, it says that it has no final samples.

    `own`: the user's own networks of the training, as `load_gan` takes them. Raises UserError for a folder that is not
    a run, and for damaged files in it.
    """
    run = run_folder.Run(run_dir)
    evaluation = evaluation_of(run)
    gan, checkpoint = load(run, own)
    history, record = run.history(), run.record
    images_seen = max(history[-1]["images"] if history else 0, checkpoint["images"] if checkpoint else 0)
    grids = sorted((run.path / "samples").glob("[0-9]*.png"))
    nearest = {name: run.path / f"nearest_{name}.png" for name in ("pixels", "features")}
    preset, dataset = record.get("preset") or record["model"], without_place(gan.config.dataset)
    known = {field.name: record["options"][field.name] for field in dataclasses.fields(Options)
             if field.name in record["options"]}
    watch = early_stopping.EarlyStopping(Options(**known), (checkpoint or {}).get("watch"))
    return template("page.html").render(
        mark=MARK, written=datetime.datetime.now(datetime.timezone.utc), version=tf2gan.__version__,
        title=f"{preset if preset in GANS.names() else record['model']} on {dataset}", name=run.path.resolve().name,
        model=record["model"], preset=preset, dataset=dataset, data=record["data"], seed=gan.config.seed,
        images_seen=images_seen, total=record.get("total_images"),
        images_per_step=gan.config.at(images_seen).images_per_step,
        image_shape=gan.config.image_shape, steps=gan.config.steps_in(images_seen),
        epochs=_epochs(images_seen, record), last=history[-1] if history else {}, checkpoint=checkpoint,
        fingerprints=without_place(record.get("fingerprints") or {}), versions=record.get("versions") or {},
        command=model_card.without_folders(record.get("command")),
        faults=faults.found_in(gan, run), verdicts=classified.verdict(evaluation or {"figures": []}),
        verdict=watch.verdict() if watch.stopped else None, best=watch.best,
        weights="averaged" if gan.averages else "raw",
        watched=bool(gan.checked()), checked=faults.searched(gan, run),
        translates=gan.abilities.translates, classifies=gan.abilities.classifies,
        final=final_samples(gan, checkpoint, grids), **_frames(grids, record),
        curves=curves.draw(history), evaluation=evaluation, columns=_COLUMNS,
        nearest={name: path for name, path in nearest.items() if path.exists()},
        options=_options(type(gan), record), most_classes=MOST_CLASSES,
        networks={name: (network.count_params(), summary.layers(network, inputs))
                  for name, (network, inputs) in gan.networks.items()})


def template(name):
    """A jinja2 template of this package."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(number=_number, duration=_duration, picture=_picture)
    return environment.get_template(name)


def load(run, own):
    """(the GAN restored from the newest checkpoint, this one's info); (a new GAN, None) if there is none."""
    if run.newest():
        gan, record = load_gan(run.path, own=own)
        return gan, record["checkpoint"]
    gan_class, config = from_record(run.record)
    return gan_class(config, run.record.get("total_images"), **({"own": own} if own else {})), None


def _epochs(num_images, record):
    """Passes over the largest training split; None if a run does not record the sizes."""
    size = run_folder.epoch_images(record["data"])
    return num_images / size if size else None


def without_place(value):
    """The JSON-able `value` with every path reduced to its last part, since reports are handed on."""
    if isinstance(value, dict):
        return {name: without_place(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_place(part) for part in value]
    if not isinstance(value, str):
        return value
    if os.path.isabs(value):
        return os.path.basename(value.rstrip(os.sep))
    return re.sub(r":/(?!/)([^/:]+/)*(?=[^/:])", ":", value)  # as in savedmodel:/folder/NAME:SIGNATURE


def _options(gan_class, record):
    """{title: [{"name", "value", "default" (the preset's), "changed", "meaning"}]} of all options."""
    preset = record.get("preset") if record.get("preset") in gan_class.presets else next(iter(gan_class.presets))
    typed = record.get("command") or ""
    tables = {}
    for title, part, defaults in (("Method", "config", gan_class.presets[preset]),
                                  ("Run", "options", Options(**gan_class.preset_options.get(preset, {})))):
        tables[title] = []
        for name, value in record[part].items():
            if name in _PLACES:
                continue
            row = {"name": name, "value": word(without_place(value))}
            if hasattr(defaults, name):
                default = getattr(defaults, name)
                by_data = (name in _BY_DATA and default is None
                           and not re.search(rf"(^|\s)({flag(name)}|--config)\b", typed))
                row.update(changed=value != default and not by_data,
                           default="as the data are" if by_data else word(default),
                           meaning=docstring.get_attribute_docstring(type(defaults), name).comment_inline)
            else:
                row.update(changed=False, default="–", meaning="an option of another version of tf2gan")
            tables[title].append(row)
    return tables


def word(value):
    if value is None or isinstance(value, bool):
        return {None: "none", True: "on", False: "off"}[value]
    return str(value)


def evaluation_of(run):
    """The evaluation that tools/evaluate.py wrote; None if there is none. Raises UserError if it is invalid."""
    try:
        result = json.loads(run.evaluation_file.read_text(encoding="utf-8"))
        rows = [{"better": None, **row, "values": dict(row["values"]), "deviations": row.get("deviations") or {},
                 "intervals": row.get("intervals") or {}, "metric": row["metric"], "name": row["name"]}
                for row in result["figures"]]
        return {"protocol": without_place(dict(result["protocol"])), "figures": rows, "classes": _classes(result)}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{printable(run.evaluation_file)}: cannot be read ({error!r}); tools/evaluate.py writes it "
                        "anew") from error


def _classes(result):
    """How labels were predicted, if the evaluation measured this; else None.

    Returns {"asked": whether labels are those that images were asked for, instead of true ones; "name": of the metric;
    "names": of classes; "columns": {column: {"overall", "interval" or None, "right", "num", "rows": [{"name",
    "per_class" (share that is right, or None), "cells": [{"count", "share", "shade": 0 to _SHADES}]}]}}}.
    """
    asked = "confusion" not in result
    if asked and "confusion" not in (result.get("classes") or {}):
        return None
    names = result["classes"]["names"] if asked else result["confusion"]["names"]
    columns = result["classes"]["confusion"] if asked else result["confusion"]["columns"]
    figure = next((row for row in result["figures"] if row["metric"] == ("agreement" if asked else "accuracy")), {})
    order = sorted(columns, key=lambda column: [*_COLUMNS, column].index(column))
    return {"asked": asked, "name": figure.get("name"), "names": names, "columns": {
        column: _readings(names, columns[column], (figure.get("intervals") or {}).get(column)) for column in order}}


def _readings(names, part, interval):
    counts = np.array(part["confusion"], np.int64)
    if counts.shape != (len(names), len(names)):
        raise ValueError(f"a confusion matrix {list(counts.shape)} of {len(names)} classes")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = np.ceil(shares * _SHADES).astype(int)  # rounded up, so that a single mistake is visible
    rows = [{"name": name, "per_class": right, "cells": [
        {"count": count, "share": share, "shade": shade}
        for count, share, shade in zip(*(array[i].tolist() for array in (counts, shares, shades)))]}
        for i, (name, right) in enumerate(zip(names, part["per_class"]))]
    return {"overall": part["overall"], "interval": interval, "right": int(np.trace(counts)), "num": int(counts.sum()),
            "rows": rows}


# Pictures.

def _picture(path):
    """{"src", "width", "height", "scale"} of an unchanged PNG file. Raises UserError if it is not an image."""
    height, width = images.image_size(path)
    return _embedded(path.read_bytes(), "png", height, width)


def _embedded(content, kind, height, width):
    return {"src": f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}", "width": width,
            "height": height, "scale": max(1, SHOWN_WIDTH // width)}  # an integer, which keeps pixels square


def _frames(grids, record):
    """{"frames": [a picture with "images" and "epochs"], "num_grids", "compressed"} of at most MOST_FRAMES grids."""
    kept = [grids[index] for index in faults.evenly(len(grids), MOST_FRAMES)]
    compressed = sum(path.stat().st_size for path in kept) > FRAME_BYTES
    frames = [{**(_compressed if compressed else _picture)(path), "images": int(path.stem),
               "epochs": _epochs(int(path.stem), record)} for path in kept]
    return {"frames": frames, "num_grids": len(grids), "compressed": compressed}


def _compressed(path):
    pixels, buffer = images.read_image(path), io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=80)  # 95, as for saved pictures, takes twice as much
    return _embedded(buffer.getvalue(), "webp", *pixels.shape[:2])


def final_samples(gan, checkpoint, grids):
    """{"picture", "text"}: samples of the newest weights; for a GAN that translates, its last grid. None if missing."""
    if not gan.abilities.samples:
        return {"picture": _picture(grids[-1]), "text": "The last of the sample grids."} if grids else None
    if checkpoint is None:
        return None
    sampler, titles = generation.Sampler.from_gan(gan), None
    if sampler.num_classes is None:
        rows = images.squared(sampler.images(sampler.latents(NUM, seed=0)))
        text = f"{NUM} images of seed 0"
    else:
        labels = range(min(sampler.num_classes, MOST_CLASSES))
        latents = sampler.latents(NUM_OF_EACH_CLASS, seed=0)
        rows = np.stack([sampler.images(latents, [label] * len(latents)) for label in labels])
        titles = [sampler.traits.class_name(label) for label in labels]
        which = "class" if len(labels) == sampler.num_classes else f"of the first {len(labels)} classes"
        text = f"A row for each {which}, a column for each of {len(latents)} latents of seed 0"
    grid = images.grid(images.enlarged(rows), row_titles=titles)
    weights = "averaged" if gan.averages else "raw"
    return {"picture": _embedded(images.encode_image(grid, ".png"), "png", *grid.shape[:2]),
            "text": f"{text}, not chosen, by the {weights} weights after {_number(checkpoint['images'])} images."}


# Words.

def _number(value):
    """A number for people: 2,560,000 and 0.01234."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 10000 else f"{value:.4g}"


def _duration(seconds):
    """1 h 12 min, 3 min 20 s, or 48 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
