"""Metrics over several runs of one method: their mean, and its confidence interval."""
import math
import pathlib

import numpy as np

from tf2gan.core.errors import UserError, printable
from tf2gan.evaluation import results
from tf2gan.runs import run_folder
from tf2gan.runs.record import differences, grouped

CONFIDENCE = 0.95
CLOCKS = ("step", "images", "epoch", "seconds", "images_per_second")  # of a log line: no results


def check(paths, same_data):
    """Raises UserError for folders that are not runs or are given twice, before any of them is evaluated.

    same_data: whether the runs are evaluated on their own training data, which must then be the same.
    """
    found = [run_folder.Run(path) for path in paths]
    places = [pathlib.Path(path).resolve() for path in paths]
    for i, path in enumerate(paths):
        if places[i] in places[:i]:
            raise UserError(f"--run {printable(path)}: is there twice; an interval over runs needs different ones")
    prints = [_training_data(run) for run in found]
    for path, other in zip(paths, prints):
        if same_data and other != prints[0]:
            raise UserError(f"--run {printable(path)}: trained on other data than {printable(paths[0])}, so their "
                            "figures cannot be compared; possible: --against, data to measure all of them on")


def _training_data(run):
    """The fingerprints of a run's training data, independent of which labels it uses."""
    return {name: part for name, part in (run.record.get("fingerprints") or {}).items() if name.startswith("train")}


def summary(records) -> dict:
    """The summary of several evaluation records. It does not depend on their order.

    Returns {"figures": [{"metric", "name", "better", "num" (of runs), "values": {column: {"mean", "deviation",
    "interval"}}}], "others": names of metrics that only some records have, "table"}. The standard deviation is that of
    a sample (n - 1). The interval is that of the mean by Student's t. Columns that some records lack are left out.

    Raises UserError if no metric is in all of them.
    """
    tables = [{figure["name"]: figure for figure in record["figures"]} for record in records]
    common, names = _common(records), {name for table in tables for name in table}
    result = {"figures": [_over([table[name] for table in tables]) for name in common],
              "others": sorted(names - set(common))}
    return {**result, "table": _table(result)}


def comparison(records, runs, titles) -> dict:
    """Compares several evaluation records of runs that differ in more than seeds: a row for each setting.

    Args:
        records: evaluation records; runs: the config.json of each run; titles: the name of each run.

    Returns {"differences": as `record.differences`, "rows": [{"runs": [title], "figures": [as in `summary`]}],
    "table"}. Runs that differ in nothing but seeds share a row, their mean and standard deviation. Raises UserError if
    no metric is in all records.
    """
    differing, groups = differences(runs), grouped(runs)
    names = _common(records)
    tables = [{figure["name"]: figure for figure in record["figures"]} for record in records]
    rows = [{"runs": [titles[index] for index in group],
             "figures": [_over([tables[index][name] for index in group]) for name in names]} for group in groups]
    metrics = [figure["metric"] for figure in rows[0]["figures"]]
    better = {figure["metric"]: {"lower": " v", "higher": " ^"}.get(figure["better"], "")
              for figure in rows[0]["figures"]}
    cells = [["", *(f"{metric}{better[metric]}" for metric in metrics)]]
    for row in rows:
        cells.append([", ".join(row["runs"]), *(_short(figure) for figure in row["figures"])])
    lines = [*results.aligned(cells), "", "what differs between the rows:"]
    for name, values in differing.items():
        lines.append(f"  {name}: {', '.join(_word(values[group[0]]) for group in groups)}")
    if any(len(group) > 1 for group in groups):
        lines.append("rows of several runs, which differ in their seeds alone: mean ±standard deviation")
    lines += ["the names with their protocol:", *(f"  {name}" for name in names)]
    return {"differences": differing, "rows": rows, "table": "\n".join(lines)}


def _word(value):
    return {None: "none", True: "on", False: "off"}[value] if value is None or isinstance(value, bool) else str(value)


def _short(figure):
    value, number = figure["values"]["model"], results.number
    return number(value["mean"]) + (f" ±{number(value['deviation'])}" if figure["num"] > 1 else "")


def _common(records):
    """Names of the metrics that all records have, sorted. Raises UserError if there are none."""
    tables = [{figure["name"] for figure in record["figures"]} for record in records]
    common = set.intersection(*tables)
    if not common:
        raise UserError("the runs have no figure in common, so there is nothing to summarize: their names, which say "
                        f"how they were measured, are {', '.join(sorted(set.union(*tables))) or 'none'}")
    return sorted(common)


def _over(entries):
    """One metric over runs, from its entry in each of them."""
    columns = [column for column in results.COLUMNS if all(column in entry["values"] for entry in entries)]
    first = entries[0]
    return {"metric": first["metric"], "name": first["name"], "better": first["better"], "num": len(entries),
            "values": {column: spread([entry["values"][column] for entry in entries]) for column in columns}}


def spread(values) -> dict:
    """{"mean", "deviation", "interval": [low, high], 95 % confidence of the mean}; of one number only the mean."""
    if len(values) == 1:
        return {"mean": float(values[0])}
    values = np.sort(np.array(values, np.float64))  # sorted, so that not even rounding depends on the order
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    half = t_quantile(len(values) - 1) * deviation / math.sqrt(len(values))
    return {"mean": mean, "deviation": deviation, "interval": [mean - half, mean + half]}


def t_quantile(degrees, confidence=CONFIDENCE) -> float:
    """The t with P(|T| <= t) = `confidence`, for T from Student's t distribution with `degrees` degrees of freedom."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # bisection, up to the precision of doubles
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < confidence else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def _within(angle, degrees):
    """P(|T| <= sqrt(degrees) tan(angle)), by the finite sums of Abramowitz and Stegun 1964, 26.7.3 and 26.7.4."""
    odd = degrees % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for k in range(1 + odd, degrees, 2):  # terms go up to cos^(degrees - 2)
        total += term
        term *= k / (k + 1) * math.cos(angle) ** 2
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total


def _table(result):
    columns = [column for column in results.COLUMNS if any(column in figure["values"] for figure in result["figures"])]
    rows = [["", *(results.COLUMNS[column] for column in columns)]]
    for figure in result["figures"]:
        arrow = {"lower": "v", "higher": "^", None: " "}[figure["better"]]
        rows.append([f"{figure['metric']} {arrow}", *(_cell(figure["values"].get(column)) for column in columns)])
    num = result["figures"][0]["num"]
    lines = [*results.aligned(rows), "",
             f"mean of {num} runs ±standard deviation [{100 * CONFIDENCE:.0f} % confidence of the mean, by Student's"
             " t]; the names with their protocol:"]
    lines += [f"  {figure['name']}" for figure in result["figures"]]
    if result["others"]:
        lines += ["not compared, since not all runs have them:", *(f"  {name}" for name in result["others"])]
    return "\n".join(lines)


def _cell(value):
    if value is None:
        return "-"
    number = results.number
    return f"{number(value['mean'])} ±{number(value['deviation'])} [{', '.join(map(number, value['interval']))}]"
