"""What an evaluation results in: figures named by their protocol, each beside its anchors, as JSON and as a table."""
from tf2gan import runs
from tf2gan.evaluation.sources import slug
from tf2gan.metrics import figures, measures

# {column: title}. Of each figure the first is of what is measured; the others, by the same protocol, are anchors.
# `real_train` is real data of another split than the reference; `reference` is that itself, where this makes sense.
COLUMNS = {"model": "measured", "untrained": "untrained", "input": "input", "real_train": "real data",
           "reference": "reference"}


def figure_name(metric, num, against, extractor=None, weights="averaged"):
    """The name of a figure, with its protocol: `fid10000_mnist-test_classifier-mnist-28x28x1-81ac2b`.

    `against`: data set and split; `extractor`: where the metric reads one's features.
    """
    parts = [f"{metric}{'_' if '_' in metric else ''}{num}", slug(against)]
    return "_".join([*parts, *([extractor.name] if extractor is not None else []),
                     *(["raw"] if weights == "raw" else [])])


def entry(metric, name, values) -> dict:
    """One figure of the record; `values`: {column: (value, deviation or None)}."""
    deviations = {column: deviation for column, (_, deviation) in values.items() if deviation is not None}
    return {"metric": metric, "name": name, "better": figures.better(metric),
            "values": {column: value for column, (value, _) in values.items()},
            **({"deviations": deviations} if deviations else {})}


def entries(metrics, real, columns, name, seed, suffix="") -> list:
    """The figures of each column's arrays beside those of `real`.

    Args:
        metrics: names of METRICS.
        real: what `measures.observe` returned.
        columns: iterable of (column, the same); arrays that are made on the way need not all be in memory.
        name: function of a figure's metric, and of whether it reads features, to its name.
        suffix: what the record adds to each metric.
    """
    computed, reads = {}, {}
    for column, arrays in columns:
        for metric in metrics:
            found = measures.compute([metric], real, arrays, seed)
            computed.setdefault(column, {}).update(found)
            reads.update(dict.fromkeys(found, measures.METRICS[metric].reads in measures.EXTRACTED))
    return [entry(figure + suffix, name(figure, reads[figure]),
                  {column: values[figure] for column, values in computed.items()}) for figure in reads]


def record(protocol, found, classes=None) -> dict:
    """The record of an evaluation, for JSON; `found`: entries; `classes`: what `class_table` prints."""
    result = {"protocol": {**protocol, "versions": runs.versions()}, "figures": found}
    if classes is not None:
        result["classes"] = classes
    return {**result, "table": table(result)}


def table(result) -> str:
    """The figures as text: a line each, with an arrow to the better end; then those of classes, if there are any."""
    columns = [column for column in COLUMNS if any(column in figure["values"] for figure in result["figures"])]
    rows = []
    for figure in result["figures"]:
        arrow = {"lower": "v", "higher": "^", None: " "}[figure["better"]]
        cells = [_cell(figure, column) for column in columns]
        rows.append([f"{figure['metric']} {arrow}", *cells])
    lines = _aligned([["", *(COLUMNS[column] for column in columns)], *rows]) if rows else []
    if result.get("classes"):
        lines += [""] * bool(lines) + _class_lines(result["classes"])
    if rows:
        lines += ["", "^ higher is better, v lower; the names with their protocol:",
                  *(f"  {figure['name']}" for figure in result["figures"])]
    return "\n".join(lines)


def _cell(figure, column):
    if column not in figure["values"]:
        return "-"
    deviation = figure.get("deviations", {}).get(column)
    text = _number(figure["values"][column])
    return text if deviation is None else f"{text} ±{_number(deviation)}"


def _number(value):
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
    return f"{value:.3g}"


def _class_lines(classes):
    """A line a class: the share of images read as it, and where labels were asked for, how many were read so."""
    columns = [column for column in COLUMNS if column in classes["shares"]]
    lines = []
    for part, title in (("shares", "share of images"), ("agreement", "read as asked")):
        if part not in classes:
            continue
        there = [column for column in columns if column in classes[part]]
        rows = [[name, *("-" if classes[part][column][i] is None else f"{classes[part][column][i]:.1%}"
                         for column in there)] for i, name in enumerate(classes["names"])]
        lines += [""] * bool(lines) + _aligned([[title, *(COLUMNS[column] for column in there)], *rows])
    return lines


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [" ".join([row[0].ljust(widths[0]), *(cell.rjust(width + 1) for cell, width in zip(row[1:], widths[1:]))])
            .rstrip() for row in rows]
