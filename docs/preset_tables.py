#!/usr/bin/env python
"""Fills the section "Its numbers" of docs/methods/*.md from the methods' presets: no number is typed by hand.

docs/preset_tables.py    writes what stands between <!-- numbers METHOD --> and <!-- end --> anew
"""
import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tf2gan.gans import GANS  # noqa: E402

PAGES = ROOT / "docs" / "methods"
# Options that every method has with the same meaning, or that say nothing of a method.
_LEFT_OUT = {"seed", "accumulate", "init_from", "augmentations", "num_classes", "channels", "classes", "target",
             "held_out", "label_seed", "more_unlabelled", "pretrain_images", "freeze_discriminator", "ada_images"}
_FIRST = ("dataset", "image_size", "batch_size", "steps", "images", "epochs")


def table(method) -> str:
    """Markdown: a row an option that differs between presets, or is not off; a column a preset."""
    presets = GANS.numbers(method).presets
    names = [field.name for field in dataclasses.fields(next(iter(presets.values()))) if field.name not in _LEFT_OUT]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    lines = ["| option | " + " | ".join(f"`{name}`" for name in presets) + " |", "|---" * (len(presets) + 1) + "|"]
    for name in names:
        values = [getattr(config, name) for config in presets.values()]
        if len(set(map(repr, values))) == 1 and values[0] in (None, False, 0, "", 0.0):
            continue
        lines.append(f"| `--{name.replace('_', '-')}` | " + " | ".join(map(cell, values)) + " |")
    return "\n".join(lines)


def cell(value) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def filled(text) -> str:
    """A page with its tables made anew."""
    return re.sub(r"<!-- numbers (\S+) -->\n.*?<!-- end -->",
                  lambda found: f"<!-- numbers {found[1]} -->\n\n{table(found[1])}\n\n<!-- end -->", text,
                  flags=re.DOTALL)


if __name__ == "__main__":
    for path in sorted(PAGES.glob("*.md")):
        path.write_text(filled(path.read_text("utf-8")), encoding="utf-8")
