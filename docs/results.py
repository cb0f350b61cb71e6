#!/usr/bin/env python
"""Fills tables of figures on the pages, from evaluations that are kept in docs/figures/ and from cards in savedmodels/.

docs/results.py                  writes what stands between <!-- figures TABLE --> and <!-- end --> anew, on all pages
docs/results.py keep RUN NAME    keeps the evaluation of a run as docs/figures/NAME.json, for TABLES
"""
import dataclasses
import json
import pathlib
import re
import sys
from typing import Dict, Sequence, Tuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tf2gan.core import savedmodel  # noqa: E402
from tf2gan.evaluation.results import COLUMNS  # noqa: E402
from tf2gan.models import generation  # noqa: E402

FIGURES, PAGES = ROOT / "docs" / "figures", ROOT / "docs"


def number(value) -> str:
    """Three digits that count."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.4f}"


def percent(value) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def source(name) -> dict:
    """A kept evaluation, or as savedmodels/NAME the card of a model: {"command", "evaluation", ...}."""
    if name.startswith("savedmodels/"):
        return generation.card_of_savedmodel(savedmodel.find(ROOT / name))
    return json.loads((FIGURES / f"{name}.json").read_text("utf-8"))


def figure(name, metric, reader=None) -> dict:
    """One figure of a source; `reader`: how its full name goes on, if several are of that metric."""
    found = [each for each in source(name)["evaluation"]["figures"]
             if each["metric"] == metric and (reader is None or reader in each["name"])]
    if len(found) != 1:
        raise ValueError(f"{name}: {len(found)} figures {metric} {reader or ''}")
    return found[0]


@dataclasses.dataclass(frozen=True)
class ByRun:
    """A row for each kind of run, with the figures of its seeds in a cell; then the baselines of the first run."""

    rows: Dict[str, Sequence[str]]  # {title: sources, one a seed}
    metrics: Dict[str, str]  # {title: metric, or metric/reader}
    baselines: Dict[str, str] = dataclasses.field(default_factory=dict)  # {title: column}
    about: Sequence[Tuple[str, str]] = ()  # (title, field of the source), before the metrics

    def lines(self):
        titles = [*(title for title, _ in self.about), *self.metrics]
        yield f"| | {' | '.join(titles)} |"
        yield "|---" * (len(titles) + 1) + "|"
        for title, names in self.rows.items():
            said = [", ".join(dict.fromkeys(f"{source(name)[field]:,}".replace(",", " ") for name in names))
                    for _, field in self.about]
            yield self._row(title, said, [(name, "model") for name in names])
        first = next(iter(self.rows.values()))[0]
        for title, column in self.baselines.items():
            yield self._row(title, ["" for _ in self.about], [(first, column)])

    def _row(self, title, said, places):
        cells = [", ".join(filter(None, (number(figure(name, *metric.split("/"))["values"].get(column))
                                         for name, column in places))) for metric in self.metrics.values()]
        return f"| {title} | {' | '.join([*said, *cells])} |"


@dataclasses.dataclass(frozen=True)
class ByFigure:
    """A row for each figure, a column for each source, then the baselines of the first."""

    columns: Dict[str, str]  # {title: source}
    metrics: Dict[str, str]  # {title: metric, or metric/reader}
    baselines: Sequence[str] = ()  # columns of COLUMNS

    def lines(self):
        yield f"| | {' | '.join([*self.columns, *(COLUMNS[column] for column in self.baselines)])} |"
        yield "|---" * (len(self.columns) + len(self.baselines) + 1) + "|"
        first = next(iter(self.columns.values()))
        for title, metric in self.metrics.items():
            cells = [self._cell(figure(name, *metric.split("/")), column) for name, column in (
                *((name, "model") for name in self.columns.values()), *((first, column) for column in self.baselines))]
            yield f"| {title} | {' | '.join(cells)} |"

    def _cell(self, found, column):
        deviation = found.get("deviations", {}).get(column) if column == "model" else None
        return number(found["values"].get(column)) + (f" ± {number(deviation)}" if deviation is not None else "")


@dataclasses.dataclass(frozen=True)
class ByColumn:
    """One metric, a share: a row for each column of an evaluation, with its 95 % interval, a column for each source."""

    sources: Dict[str, str]  # {title: source}
    rows: Dict[str, str]  # {title: column of COLUMNS}
    metric: str = "accuracy"

    def lines(self):
        yield f"| | {' | '.join(self.sources)} |"
        yield "|---" * (len(self.sources) + 1) + "|"
        for title, column in self.rows.items():
            yield f"| {title} | {' | '.join(self._cell(name, column) for name in self.sources.values())} |"

    def _cell(self, name, column):
        found = figure(name, self.metric)
        if column not in found["values"]:
            return ""
        low, high = found["intervals"][column]
        return f"{percent(found['values'][column])} [{100 * low:.1f}, {100 * high:.1f}]"


@dataclasses.dataclass(frozen=True)
class BySteps:
    """One metric over a training: a row for each kind of run, a column for each number of steps, then the baseline."""

    rows: Dict[str, Sequence[str]]  # {title: sources, one for each number of steps}
    metric: str
    baseline: str  # column of COLUMNS

    def lines(self):
        first = next(iter(self.rows.values()))
        steps = [f"{source(name)['steps']:,}".replace(",", " ") for name in first]
        yield f"| steps | {' | '.join([*steps, COLUMNS[self.baseline]])} |"
        yield "|---" * (len(steps) + 2) + "|"
        for title, names in self.rows.items():
            if [source(name)["steps"] for name in names] != [source(name)["steps"] for name in first]:
                raise ValueError(f"{title}: measured after other numbers of steps")
            found = [figure(name, self.metric)["values"] for name in names]
            cells = [*(values["model"] for values in found), found[-1][self.baseline]]
            yield f"| {title} | {' | '.join(map(number, cells))} |"


_STAGES = {"source only (f_S)": "source_only", "pixels alone (f_P)": "pixels", "adapted (f_T)": "model",
           "the same network on the target's labels": "target_labels", "untrained": "untrained"}


def _both_ways(metrics):
    return {f"{title}, {way}": metric.replace("*", end) for way, end in (("A to B", "a2b"), ("B to A", "b2a"))
            for title, metric in metrics.items()}


TABLES = {
    "apple2orange": ByFigure({"trained": "savedmodels/apple2orange"}, _both_ways({
        "KID, `imagenet-lite0-579344-bicubic224`": "kid_*/imagenet", "FID, the same": "fid_*/imagenet",
        "sliced Wasserstein distance": "swd_*", "KID, `classifier-apple2orange-domains-64x64x3-52d763`":
        "kid_*/classifier", "colour distance": "color_distance_*", "cycle error": "cycle_l1_*",
        "identity error": "identity_l1_*"}), ("untrained", "input", "real_train")),
    "outlines": ByFigure({"trained, seed 1": "outlines-s1"}, _both_ways({
        "KID, `imagenet-lite0-579344-bicubic224`": "kid_*", "distance of two translations, L1": "diversity_l1_*",
        "the same, perceptual": "diversity_perceptual_*", "cycle error": "cycle_l1_*",
        "error of the styles that are found again": "style_cycle_l1_*"}), ("untrained", "input", "real_train")),
    "parts": ByRun({"the default, seed 1": ["parts-default-s1"], "without the frozen network": ["parts-not-projected"],
                    "`--discriminator patchgan`: one scale": ["parts-one-scale"],
                    "`--nolearning-rate-decay`": ["parts-no-decay"],
                    "`--identity-weight 0`": ["parts-no-identity"]},
                   {"KID A to B": "kid_a2b", "KID B to A": "kid_b2a", "SWD A to B": "swd_a2b", "SWD B to A": "swd_b2a"},
                   {"the images as they are": "input", "real images of the target": "real_train"},
                   [("steps", "steps")]),
    "apples": ByRun({"`projected --generator-filters 24 --latent-size 64`": ["apples-small-s0"],
                     "`projected`, seeds 0 and 1": ["apples-projected-1000-s0", "apples-projected-1000-s1"],
                     "the same, seed 0, longer": ["apples-projected-s0"],
                     "`projected --discriminator-learning-rate 0.0002`": ["apples-slower-1000-s0"],
                     "that, longer": ["apples-slower-s0"],
                     "with the paper's discriminators": ["apples-paper-450-s0"],
                     "with these, longer": ["apples-paper-s0"],
                     "with these and `--batches joint`": ["apples-paper-joint-s0"],
                     "`dcgan --augment diffaugment`": ["apples-dcgan-s0"],
                     "the same dcgan, longer": ["apples-dcgan-hour-s0"],
                     "`dcgan`": ["apples-dcgan-plain-s0"], "`wgan-gp`": ["apples-wgan-gp-s0"],
                     "`progan`": ["apples-progan-s0"], "`fastgan`": ["apples-fastgan-s0"]}, {
        "KID": "kid", "SWD": "swd", "precision": "precision", "recall": "recall"},
        {"real training images": "real_train", "untrained `projected`": "untrained"},
        [("steps", "steps"), ("minutes", "minutes")]),
    "cifar1000": BySteps({title: [f"cifar1000-{name}-{steps}-s0" for steps in (500, 1000, 2000, 3000)]
                          for title, name in (("`dcgan`", "plain"), ("`dcgan --augment diffaugment`", "aug"))},
                         "fid", "real_train"),
    "faces": ByRun({"`projected`": ["faces-projected-s0"], "the same, longer": ["faces-projected-longer-s0"],
                    "`dcgan --augment diffaugment`": ["faces-dcgan-s0"],
                    "`progan`": ["faces-progan-s0"]},
                   {"KID": "kid", "SWD": "swd", "precision": "precision", "recall": "recall", "coverage": "coverage"},
                   {"real training images": "real_train", "untrained `projected`": "untrained"},
                   [("steps", "steps"), ("minutes", "minutes")]),
    "styles": ByFigure({"trained": "apple2orange-styles-s0"}, _both_ways({
        "KID, `imagenet-lite0-579344-bicubic224`": "kid_*", "distance of two translations, L1": "diversity_l1_*",
        "the same, perceptual": "diversity_perceptual_*", "cycle error": "cycle_l1_*",
        "error of the styles that are found again": "style_cycle_l1_*"}), ("untrained", "input", "real_train")),
    "cycada-house": ByColumn({"seed 2": "cycada-house-s2"}, {
        title: column for title, column in _STAGES.items() if column != "target_labels"}),
    "cycada-mnist": ByColumn({"drawn digits": "cycada-mnist-s1", "the same, features weighted 1, no semantic loss":
                              "cycada-mnist-s1-features", "MNIST inverted": "cycada-inverted-s0"}, _STAGES),
}


def filled(text) -> str:
    """A page with its tables made anew."""
    return re.sub(r"<!-- figures (\S+) -->\n.*?<!-- end -->", lambda found: "\n".join([
        f"<!-- figures {found[1]} -->", "", *TABLES[found[1]].lines(), "", "<!-- end -->"]), text, flags=re.DOTALL)


def keep(run, name):
    """Keeps what a run's evaluation found, with the command that made the run, and its last log line before that."""
    from tf2gan.export import model_card
    from tf2gan.runs import run_folder

    run = run_folder.Run(pathlib.Path(run))
    evaluation = json.loads((run.path / "evaluation.json").read_text("utf-8"))
    lines = map(json.loads, (run.path / "metrics.jsonl").read_text("utf-8").splitlines())
    *_, last = (line for line in lines if line["images"] <= evaluation["protocol"]["images_seen"])
    evaluation.pop("table", None)
    kept = {"command": model_card.without_folders(run.record.get("command")), "steps": last["step"],
            "minutes": round(last["seconds"] / 60), "evaluation": evaluation}
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["keep"]:
        keep(*sys.argv[2:])
    for path in sorted(PAGES.rglob("*.md")):
        path.write_text(filled(path.read_text("utf-8")), encoding="utf-8")
