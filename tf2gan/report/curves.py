"""Draws the log of a run for an HTML page: SVG in the page's own colours. Needs no TensorFlow."""
import io
import math
import re

import matplotlib
import numpy as np
from matplotlib import figure, ticker

from tf2gan.metrics.values import better

NUM_COLOURS = 8  # of curves; a page that shows drawings has to define --c0 to --c7, --muted and --line
DEVIATION = "_deviation"  # suffix of a metric's name: its standard deviation or standard error
CLOCKS = ("step", "images", "epoch", "seconds")  # fields of a log line that say when it was written
SMOOTHED = 40  # a bold curve is a moving mean; its window is the number of log lines divided by this
LOG_FROM = 100.0  # the scale is logarithmic if the largest value is more than this times the smallest

_TITLES = {"loss": "Losses", "accuracy": "Accuracy of the discriminator",
           "diversity": "Diversity of samples (real images: 1)",
           "critic_distance": "Distance that the critic estimates", "images_per_second": "Images per second",
           "augment_p": "Probability of each change by ADA", "real_sign": "Mean sign of D at real images"}
# Placeholder colours. Each is replaced by a colour of the page, which follows its light or dark scheme.
_INK, _GRID = "#a00001", "#a00002"
_CURVES = [f"#c0000{index}" for index in range(NUM_COLOURS)]
_ON_PAGE = {_INK: "var(--muted)", _GRID: "var(--line)",
            **{colour: f"var(--c{index})" for index, colour in enumerate(_CURVES)}}
_STYLE = {"svg.fonttype": "none", "path.simplify_threshold": 0.5, "font.size": 8.5, "text.color": _INK,
          "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK, "axes.edgecolor": _GRID, "axes.grid": True,
          "grid.color": _GRID, "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.spines.top": False,
          "axes.spines.right": False, "axes.spines.left": False}


def draw(history):
    """Drawings of all scalars in the log lines `history` (dicts, oldest first) over the images seen.

    Scalars with the same unit share a drawing. Metrics of an evaluation have one each and come first; speed is last.

    Returns:
        A list of {"title", "is_figure", "better" ("lower", "higher", None), "svg", "log" (whether the scale is
        logarithmic), "window" (log lines that bold curves average), "lines": [{"name", "colour" (its number),
        "lowest", "highest", "last"}]}. Values that are not finite are left out.
    """
    groups = {}
    for name in dict.fromkeys(name for line in history for name in line if name not in CLOCKS):
        if _is_figure(name) and name.endswith(DEVIATION):
            continue
        points = np.array([(line["images"], line[name]) for line in history if _is_finite(line.get(name))], np.float64)
        if len(points):
            groups.setdefault(_unit(name), {})[name] = points
    order = sorted(groups, key=lambda unit: (not _is_figure(unit), unit == "images_per_second"))
    return [_describe(unit, groups[unit], {line["images"]: line[unit + DEVIATION] for line in history
                                           if _is_finite(line.get(unit + DEVIATION))}) for unit in order]


def draw_over(histories) -> list:
    """Drawings as `draw` returns them, one for each scalar, with a line for each of `histories`, {name: log lines}."""
    names = dict.fromkeys(name for history in histories.values() for line in history for name in line
                          if name not in CLOCKS and not name.endswith(DEVIATION))
    drawings = []
    for name in sorted(names, key=lambda name: (not _is_figure(name), name == "images_per_second")):
        lines = {run: np.array([(line["images"], line[name]) for line in history if _is_finite(line.get(name))])
                 for run, history in histories.items()}
        lines = {run: points for run, points in lines.items() if len(points)}
        if lines:
            drawing = _describe(name, lines, {})
            drawings.append({**drawing, "title": drawing["title"] if _is_figure(name) else name.replace("_", " ")})
    return drawings


def _is_finite(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_figure(name):
    """Whether the name carries a protocol. Then a hyphen joins data set and split; names logged by steps have none."""
    return "-" in name


def _unit(name):
    if _is_figure(name):
        return name
    name = re.sub("_(x|y|xy|yx)$", "", name)  # the domains, and the directions between them
    return next((unit for unit in ("loss", "accuracy") if name.endswith(f"_{unit}")), name)


def _describe(unit, curves, deviations):
    is_figure = _is_figure(unit)
    values = np.concatenate([points[:, 1] for points in curves.values()])
    low, high = np.percentile(values, [1, 99])  # not min and max: a single outlier would set the scale
    log = bool(unit != "accuracy" and values.min() > 0 and high > LOG_FROM * low)
    window = 1 if is_figure else max(1, max(map(len, curves.values())) // SMOOTHED)
    metric = re.match("[a-z_]*[a-z]", unit).group() if is_figure else unit  # fid of fid1000_mnist-test_...
    title = metric if is_figure else _TITLES.get(unit, unit.replace("_", " ").capitalize())
    return {"title": title, "is_figure": is_figure, "better": better(metric) if is_figure else None, "log": log,
            "window": window, "svg": _svg(unit, curves.values(), deviations, window, log),
            "lines": [{"name": name, "colour": index % NUM_COLOURS, "lowest": float(points[:, 1].min()),
                       "highest": float(points[:, 1].max()), "last": float(points[-1, 1])}
                      for index, (name, points) in enumerate(curves.items())]}


def _svg(unit, curves, deviations, window, log):
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": unit}):  # ids differ between drawings of a page
        drawing = figure.Figure(figsize=(4.6, 2.4), layout="constrained")
        axes = drawing.subplots()
        for index, points in enumerate(curves):
            colour = _CURVES[index % NUM_COLOURS]
            if window > 1:
                axes.plot(*points.T, color=colour, alpha=0.3, linewidth=0.7)
            axes.plot(points[:, 0], _moving_mean(points[:, 1], window), color=colour, linewidth=1.6, markersize=4,
                      marker="o" if _is_figure(unit) or len(points) < 3 else None)
            if deviations:
                axes.errorbar(*points.T, yerr=[deviations.get(images_seen, np.nan) for images_seen in points[:, 0]],
                              fmt="none", ecolor=colour, elinewidth=1, capsize=2)
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, position: f"{value:g}"))
            axes.yaxis.set_minor_formatter(ticker.NullFormatter())
        elif max(axes.get_ylim()) > 5000:
            axes.yaxis.set_major_formatter(ticker.EngFormatter(sep=""))
        if unit == "accuracy":
            axes.set_ylim(-0.03, 1.03)
        axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
        axes.set_xlabel("images seen")
        axes.tick_params(which="both", length=0)
        buffer = io.StringIO()
        drawing.savefig(buffer, format="svg", transparent=True,
                        metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r' (width|height)="[0-9.]+pt"', "", svg, count=2)  # the page sets the size
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # would apply to the whole page
    svg = re.sub(r' id="[A-Za-z0-9.]+_[0-9]+"', "", svg)  # these ids repeat in every drawing, and are unused
    for colour, on_page in _ON_PAGE.items():
        svg = svg.replace(colour, on_page)
    return svg


def _moving_mean(values, window):
    """The mean over `window` neighbours; at the ends, over those that exist."""
    kernel = np.ones(min(window, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")
