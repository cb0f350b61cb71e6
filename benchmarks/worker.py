"""A contestant in a process of its own: it reads requests, one JSON object per line, and answers in the same way.

Only one of them works at any time, so no two libraries compete for the cores, and each has its own memory and its own
first step. This file needs the standard library only and is run by its path: the interpreter may be that of another
environment, without TensorFlow.
"""
import importlib
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent  # folder of benchmarks and tf2gan
# {contestant: (module, class or function of the job)}; "peak" measures the machine.
CONTESTANTS = {"tf2gan": ("contestants", "Tf2gan"), "plain": ("contestants", "Plain"), "book": ("book", "make"),
               "torch": ("torch_training", "Torch"), "peak": ("peak", "Peak")}


def contestant_class(name):
    """The class of a contestant; imports its library."""
    module, class_name = CONTESTANTS[name]
    return getattr(importlib.import_module(f"benchmarks.{module}"), class_name)


def memory() -> dict:
    """Resident bytes: "now", and at the "peak" since the process began."""
    # Not getrusage, which gives the peak of the process that started this one if that was larger.
    fields = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    return {name: 1024 * int(fields[field].split()[0]) for name, field in (("now", "VmRSS"), ("peak", "VmHWM"))}


def serve(requests, answers):
    """Answers each line of `requests` with a line in `answers`, until there are no more.

    The first request is {"contestant": name}, which imports its library. {"memory": {}} calls `memory`. Any other is
    {method of the contestant: its keyword arguments}; of these {"build": {"job": ...}} must come first. An answer is
    {"value": what was returned} or {"error": one line}; after an error it continues.
    """
    made = contestant = None
    for line in requests:
        (name, arguments), = json.loads(line).items()
        try:
            if name == "contestant":
                made, value = contestant_class(arguments), None
            elif name == "memory":
                value = memory()
            elif name == "build":
                contestant = made(arguments["job"])
                value = contestant.first_step()
            else:
                value = getattr(contestant, name)(**arguments)
            answer = {"value": value}
        except Exception as error:  # sent to the process that asked, which has the user's terminal
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    serve(sys.stdin, told)
