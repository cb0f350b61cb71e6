"""The faults of a training, as its log and its evaluations show them, for a report."""
import numpy as np

from tf2gan.gans import diagnosis

MOST_JUDGED = 500  # log lines at which faults are searched for; each search reads all lines before


def found_in(gan, run):
    """Faults that were found at any time: [{"name", "step" (first), "text" (last), "lasts" (to the end)}]."""
    logs, evaluations = run.logs(), run.evaluations()
    return [*_faults([(logs[end]["step"], lambda end=end: gan.diagnose(logs[:end + 1]))
                      for end in evenly(len(logs), MOST_JUDGED)]),
            *_faults([(line["step"], lambda line=line: diagnosis.of_evaluation(diagnosis.values_of(line)))
                      for line in evaluations])]


def _faults(times):
    """The same from [(step, a function that returns {name: text})], in the order of time."""
    found, said = {}, {}
    for step, function in times:
        said = function()
        for name, text in said.items():
            found.setdefault(name, {"name": name, "step": step})["text"] = text
    return [{**fault, "lasts": name in said} for name, fault in found.items()]


def searched(gan, run) -> list:
    """What the log, and evaluations if there are any that show it, were searched for, each in a few words."""
    shown = any(diagnosis.values_of(line) for line in run.evaluations())
    return [*gan.checked(), *(diagnosis.CHECKS[name] for name in diagnosis.OF_EVALUATIONS if shown)]


def evenly(num, most):
    """Indices of `num` items: all, or `most` of them, evenly spread, with the first and the last."""
    return np.unique(np.linspace(0, num - 1, min(num, most)).round().astype(int)).tolist()
