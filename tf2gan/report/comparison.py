"""Several runs as one self-contained HTML page: what differs, figures in a table, curves over each other, samples."""
import datetime
import os
import pathlib

import tf2gan
from tf2gan.core.errors import UserError, printable
from tf2gan.report import curves, faults, page
from tf2gan.runs import run_folder
from tf2gan.runs.record import differences, title_of

NAME = "comparison.html"  # in the working directory


def write(run_dirs, output=None, overwrite=False, own=()):
    """Writes a page that compares the runs in the folders `run_dirs` to `output`, by default comparison.html.

    `own`: for each run, the user's own networks of its training, as `load_gan` takes them; none by default. Returns the
    pathlib.Path written. Raises UserError for a folder that is no run or is given twice, for damaged files
    in it, and as `page.check_output`; the file is then unchanged.
    """
    if len(run_dirs) < 2:
        raise UserError("a comparison needs at least two runs")
    places = [os.path.realpath(folder) for folder in run_dirs]
    for index, place in enumerate(places):
        if place in places[:index]:
            raise UserError(f"--run {printable(run_dirs[index])}: is there twice")
        run_folder.Run(run_dirs[index])
    path = page.check_output(run_dirs[0], output or NAME, overwrite)
    return page.put(path, render(run_dirs, own))


def render(run_dirs, own=()) -> str:
    """The page, from what the runs have so far; `own` as for `write`."""
    own = dict(enumerate(own))
    folders = [run_folder.Run(folder) for folder in run_dirs]
    names = _names([folder.path.resolve() for folder in folders])
    evaluations = [page.evaluation_of(folder) for folder in folders]
    differing = differences([folder.record for folder in folders])
    return page.template("comparison.html").render(
        mark=page.MARK, written=datetime.datetime.now(datetime.timezone.utc), version=tf2gan.__version__,
        runs=[_described(folder, name, own.get(index)) for index, (folder, name) in enumerate(zip(folders, names))],
        differing={name: [page.word(page.without_place(value)) for value in values]
                   for name, values in differing.items()},
        figures=_figures(evaluations),
        curves=curves.draw_over({name: folder.history() for name, folder in zip(names, folders)}))


def _names(paths):
    """The shortest ends of the paths that tell them apart."""
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names


def _described(folder, name, own):
    gan, checkpoint = page.load(folder, own)
    return {"name": name, "title": title_of(folder.record), "dataset": page.without_place(gan.config.dataset),
            "seed": gan.config.seed, "total": folder.record.get("total_images"),
            "images_seen": checkpoint["images"] if checkpoint else 0, "faults": faults.found_in(gan, folder),
            "checked": faults.searched(gan, folder), "final": page.final_samples(
                gan, checkpoint, sorted((pathlib.Path(folder.path) / "samples").glob("[0-9]*.png")))}


def _figures(evaluations):
    """[{"metric", "name", "better", "values" (one a run, None: not measured), "best" (indices)}] of all runs."""
    rows = {}
    for index, evaluation in enumerate(evaluations):
        for row in evaluation["figures"] if evaluation else ():
            found = rows.setdefault(row["name"], {"metric": row["metric"], "name": row["name"], "better": row["better"],
                                                  "values": [None] * len(evaluations)})
            found["values"][index] = row["values"].get("model")
    for row in rows.values():
        there = [value for value in row["values"] if value is not None]
        best = {"lower": min, "higher": max}.get(row["better"])
        row["best"] = [index for index, value in enumerate(row["values"])
                       if best and len(there) > 1 and value == best(there)]
    return list(rows.values())
