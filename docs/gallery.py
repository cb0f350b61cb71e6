#!/usr/bin/env python
"""Writes docs/gallery.md and its pictures from the models in savedmodels/ and their cards: no figure is typed by hand.
"""
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import tf2gan  # noqa: E402
from tf2gan.core import images, savedmodel  # noqa: E402
from tf2gan.data.synthetic import render_labels, render_scene  # noqa: E402
from tf2gan.evaluation.results import COLUMNS  # noqa: E402
from tf2gan.models import generation  # noqa: E402

from results import number  # noqa: E402, I001

PAGE, PICTURES = ROOT / "docs" / "gallery.md", ROOT / "docs" / "gallery"
# {name of a model: what its picture shows}; the page has this order.
SHOWN = {
    "apple2orange": "Drawn apples and oranges, each with its translation; the network has learned from photographs.",
    "facades": "Drawn label maps, each with the house front that the network makes of it.",
    "projected-apples": "Samples of the first latents of seed 1.",
    "cgan-mnist": "Each digit ten times, as asked for.",
    "progan-mnist": "Samples of the first latents of seed 1.",
    "dcgan-mnist": "Samples of the first latents of seed 1.",
    "sgan-mnist": "What the generator made that helped the classifier; the classifier is the result.",
}
_SIZE, _COUNT = 128, 3


def cards() -> dict:
    """{name: (folder of the version, its card)} of all models, in the order of the page."""
    names = sorted(path.name for path in (ROOT / "savedmodels").iterdir() if path.is_dir())
    names.sort(key=lambda name: list(SHOWN).index(name) if name in SHOWN else len(SHOWN))
    folders = {name: savedmodel.find(ROOT / "savedmodels" / name) for name in names}
    return {name: (folder, generation.card_of_savedmodel(folder)) for name, folder in folders.items()}


def table(evaluation) -> list:
    """Lines of Markdown: a row a figure, in all columns that any of them has."""
    columns = [column for column in COLUMNS if any(column in figure["values"] for figure in evaluation["figures"])]
    lines = ["| | " + " | ".join(COLUMNS[column] for column in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for figure in evaluation["figures"]:
        cells = [number(figure["values"].get(column)) for column in columns]
        lines.append(f"| {figure['metric']}{reader(figure['name'])} | " + " | ".join(cells) + " |")
    return lines


def reader(name) -> str:
    """Whose features a figure is by, from its full name; empty for one that needs none."""
    last = name.rsplit("_", 1)[-1]
    return next((f", by {kind}" for kind in ("imagenet", "classifier") if last.startswith(kind)), "")


def section(name, folder, card) -> list:
    """Lines of Markdown about one model."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    evaluation = card.get("evaluation")
    lines = [f"## {name}", "", f"![what {name} makes](gallery/{name}.png)", "", f"*{SHOWN.get(name, '')}*", "",
             "```", card["command"], "```", "",
             f"`{card['model']}` on `{card['data']}`, seed {card['seed']}, {card['steps']} steps, "
             f"{card['images_seen']} images seen; {size:.1f} MB. Terms of the data: {card['data_license']}.", ""]
    if evaluation:
        protocol = evaluation["protocol"]
        lines += [*table(evaluation), "",
                  f"By `tools/evaluate.py`, on the split {protocol.get('split', 'test')} of `{protocol['dataset']}`; "
                  f"`savedmodels/{name}/{folder.name}/README.md` has the full names, with their protocols.", ""]
    return lines


def text() -> str:
    """The page."""
    lines = ["# Gallery", "", "```",
             "tools/sample.py --savedmodel savedmodels/cgan-mnist --labels 0-9 --output digits.png", "```", "",
             "The trained models that come with the project. One script makes the pictures with the models, and copies",
             "the figures from their cards; nothing is chosen by hand. What is wrong with the pictures is told in",
             "[results](results.md).", ""]
    for name, (folder, card) in cards().items():
        lines += section(name, folder, card)
    return "\n".join(lines).rstrip() + "\n"


def picture(name, folder):
    """uint8 [height, width, 3] of what a model makes."""
    model = tf2gan.load(folder)
    if model.abilities.translates:
        pairs = []
        for direction in model.abilities.directions:
            for i in range(_COUNT * 2 // len(model.abilities.directions)):
                if name == "facades":
                    given = render_labels("test", i, _SIZE)
                else:
                    given, _ = render_scene(f"test{'A' if direction == 'a2b' else 'B'}", i, _SIZE)
                pairs += [given, model.translate(given, direction)]
        return images.grid(np.stack(pairs).reshape(-1, 4, _SIZE, _SIZE, 3))
    num = 100 if model.abilities.takes_labels else 60
    labels = list(np.arange(num) // 10) if model.abilities.takes_labels else None
    made = images.enlarged(model.sample(num, seed=1, labels=labels), 64)
    return images.grid(made.reshape(-1, 10, *made.shape[1:]))


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    for model_name, (model_folder, _) in cards().items():
        images.write_image(PICTURES / f"{model_name}.png", picture(model_name, model_folder))
