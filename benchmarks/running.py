"""Does the work of benchmarks/benchmark.py: describes the machine, then measures and prints one part after another."""
import sys

from benchmarks import comparing, looking, machine, report
from tf2gan.core import files


def run(options, say=print) -> dict:
    """Measures what `options` ask for and returns all results; `say(text)` gets them as text, part by part.

    Raises UserError for bad options, before any work, and Failure if a contestant fails.
    """
    options.check()
    result = {"machine": machine.describe(options.torch_python), "results": []}
    say(machine.text(result["machine"]))
    if options.memory_steps is None and not options.profile:
        say(f"medians of {options.rounds} rounds, and in brackets the 10th and the 90th percentile")
    for model in options.model:
        for precision in options.precision:
            job = options.job(model, precision)
            if options.growth:
                heading, kind = f"{model}, {precision}", "growth"
                found = looking.growth(model, precision, options, _tell)
            else:
                heading = report.title(job)
                kind = "memory" if options.memory_steps is not None else "profile" if options.profile else "comparison"
                measure = comparing.compare if kind == "comparison" else getattr(looking, kind)
                found = measure(job, options, _tell)
            say(f"\n{heading}\n{getattr(report, kind)(found)}")
            result["results"].append({**job, "model": model, kind: found})
            if options.json is not None:  # after each part, so that a later failure loses nothing
                files.write_atomically(options.json, report.as_json(result))
    return result


def _tell(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="\r", file=sys.stderr, flush=True)
