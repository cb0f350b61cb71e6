"""The results of an evaluation: metrics named by their protocol, each beside its baselines, as JSON and as a table."""
import json

from tf2gan.core import files, terminal
from tf2gan.core.errors import UserError, printable
from tf2gan.core.versions import versions
from tf2gan.evaluation.image_sets import slug
from tf2gan.metrics import registry
from tf2gan.metrics.values import better

# {column: title}. `model` is what is evaluated; the others are baselines, measured by the same protocol.
# `mean_target` is one image for all: the mean of the training targets of pairs.
# `real_train` is real data of another split than the reference; `reference` is the reference itself, where meaningful.
# `baseline` and `fully_supervised` are the network of a classifier, trained on its labels alone and on all labels.
COLUMNS = {"model": "measured", "pixels": "pixels alone", "source_only": "source only",
           "target_labels": "target labels", "baseline": "labels alone", "fully_supervised": "all labels",
           "untrained": "untrained", "input": "input", "mean_target": "mean target", "mean_color": "mean colour",
           "real_train": "real data", "reference": "reference"}
WIDEST, MOST_CLASSES = 110, 20  # most characters per line and most classes of a printed matrix


def figure_name(metric, num, against, extractor=None, weights="averaged"):
    """The full name of a metric, with its protocol: `fid10000_mnist-test_classifier-mnist-28x28x1-81ac2b`.

    `against`: data set and split; `extractor`: the one whose outputs the metric reads, if any.
    """
    parts = [f"{metric}{'_' if '_' in metric else ''}{num}", slug(against)]
    return "_".join([*parts, *([extractor.name] if extractor is not None else []),
                     *(["raw"] if weights == "raw" else [])])


def entry(metric, name, values, intervals=None) -> dict:
    """The entry of one metric in the record.

    Args:
        values: {column: (value, deviation or None)}.
        intervals: {column: (low, high)} of 95 % confidence, where known.
    """
    deviations = {column: deviation for column, (_, deviation) in values.items() if deviation is not None}
    return {"metric": metric, "name": name, "better": better(metric),
            "values": {column: value for column, (value, _) in values.items()},
            **({"deviations": deviations} if deviations else {}),
            **({"intervals": {column: list(ends) for column, ends in intervals.items()}} if intervals else {})}


def entries(metrics, real, columns, name, seed, suffix="") -> list:
    """The entries of `metrics`, for each column's arrays compared with those of `real`.

    Args:
        metrics: names of METRICS.
        real: what `registry.observe` returned.
        columns: iterable of (column, what `registry.observe` returned); a generator saves memory.
        name: function from a metric's short name, and what it reads (see `registry.Metric`), to its full name.
        suffix: appended to each short name in the record.
    """
    computed, reads = {}, {}
    for column, arrays in columns:
        for metric in metrics:
            found = registry.compute([metric], real, arrays, seed)
            computed.setdefault(column, {}).update(found)
            reads.update(dict.fromkeys(found, registry.METRICS[metric].reads))
    return [entry(figure + suffix, name(figure, reads[figure]),
                  {column: values[figure] for column, values in computed.items()}) for figure in reads]


def record(protocol, found, classes=None, **more) -> dict:
    """The record of an evaluation, for JSON.

    Args:
        found: entries.
        classes: shares of classes, and predictions for the labels asked for; `table` prints them.
        more: "confusion" and "nearest", which `table` also prints; None is left out.
    """
    result = {"protocol": {**protocol, "versions": versions()}, "figures": found,
              **{name: part for name, part in {"classes": classes, **more}.items() if part is not None}}
    return {**result, "table": table(result)}


def write(result, path):
    """Writes a record to a file, completely or not at all. Raises UserError if it cannot be written."""
    try:
        files.write_atomically(path, json.dumps(result, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"the metrics cannot be written to {printable(path)}: {error.strerror}") from error


def store(result, path):
    """Writes a record beside its run. Says so, and goes on, if that cannot be done: hours of work are in the record."""
    try:
        write(result, path)
    except UserError as error:
        terminal.say(f"warning: {error}; nothing else is missing")


def table(result) -> str:
    """The metrics as text: a line each, with an arrow to the better end; then classes, confusion, nearest, if any."""
    columns = [column for column in COLUMNS if any(column in figure["values"] for figure in result["figures"])]
    rows = []
    for figure in result["figures"]:
        arrow = {"lower": "v", "higher": "^", None: " "}[figure["better"]]
        cells = [_cell(figure, column) for column in columns]
        rows.append([f"{figure['metric']} {arrow}", *cells])
    lines = aligned([["", *(COLUMNS[column] for column in columns)], *rows]) if rows else []
    if result.get("classes"):
        lines += [""] * bool(lines) + _class_lines(result["classes"])
    if result.get("confusion"):
        lines += [""] * bool(lines) + _confusion_lines(result["confusion"])
    if rows:
        intervals = any("intervals" in figure for figure in result["figures"])
        lines += ["", f"^ higher is better, v lower;{' [95 % confidence];' if intervals else ''} "
                      "the names with their protocol:", *(f"  {figure['name']}" for figure in result["figures"])]
    if result.get("nearest"):
        lines += ["", *(f"mean distance to the nearest training image, in {space}: " + ", ".join(
            f"{value:.4g} ({COLUMNS[column]})" for column, value in values.items())
            for space, values in result["nearest"].items() if space != "authenticity")]
        shares = result["nearest"].get("authenticity", {})
        lines += ["no copies of training images (authenticity, about 50 % is natural): " + ", ".join(
            f"{100 * value:.0f} % ({COLUMNS[column]})" for column, value in shares.items())] if shares else []
    return "\n".join(lines)


def lines_by_column(figure, title) -> list:
    """A metric as text: a title, and a line for each of its columns."""
    rows = [[f"  {COLUMNS[column]}", _cell(figure, column)] for column in COLUMNS if column in figure["values"]]
    return [title, *aligned(rows)]


def _cell(figure, column):
    if column not in figure["values"]:
        return "-"
    deviation, interval = (figure.get(part, {}).get(column) for part in ("deviations", "intervals"))
    text = number(figure["values"][column])
    if deviation is not None:
        text += f" ±{number(deviation)}"
    return text if interval is None else f"{text} [{', '.join(map(number, interval))}]"


def number(value) -> str:
    """A metric value for a table."""
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
    return f"{value:.3g}"


def _class_lines(classes):
    """One line per class: its share of images and, where labels were asked for, the share predicted as asked."""
    columns = [column for column in COLUMNS if column in classes["shares"]]
    lines = []
    for part, title in (("shares", "share of images"), ("agreement", "read as asked")):
        if part not in classes:
            continue
        there = [column for column in columns if column in classes[part]]
        rows = [[name, *("-" if classes[part][column][i] is None else f"{classes[part][column][i]:.1%}"
                         for column in there)] for i, name in enumerate(classes["names"])]
        lines += [""] * bool(lines) + aligned([[title, *(COLUMNS[column] for column in there)], *rows])
    return lines


def _confusion_lines(confusion):
    """The confusion matrix of the evaluated model; with many classes, each column's share of right predictions."""
    names, columns = confusion["names"], confusion["columns"]
    if len(names) > MOST_CLASSES:
        rows = [[name, *("-" if of_column["per_class"][i] is None else f"{of_column['per_class'][i]:.1%}"
                         for of_column in columns.values())] for i, name in enumerate(names)]
        return aligned([["read right", *(COLUMNS[column] for column in columns)], *rows])
    counts = [list(map(str, row)) for row in columns["model"]["confusion"]]
    lines = aligned([["class, read as", *names], *([name, *row] for name, row in zip(names, counts))])
    if max(map(len, lines)) <= WIDEST:
        return lines
    titles = [f"{i} {name}" for i, name in enumerate(names)]  # column titles are the numbers alone
    return aligned([["class, read as", *map(str, range(len(names)))],
                    *([title, *row] for title, row in zip(titles, counts))])


def aligned(rows) -> list:
    """Lines of a table: the first column aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [" ".join([row[0].ljust(widths[0]), *(cell.rjust(width + 1) for cell, width in zip(row[1:], widths[1:]))])
            .rstrip() for row in rows]
