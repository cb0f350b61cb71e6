"""What all tools share on the command line: flags from dataclasses, one line for bad input, exit codes."""
import argparse
import difflib
import re
import sys

import simple_parsing

import tf2gan
from tf2gan.errors import UserError

_OFF = ("none", "off")


def normalized(args) -> list:
    """`--flag none` and `--flag=off` as `--flag` alone, which is how the library spells None for an optional value."""
    kept = []
    for arg in args:
        name, _, value = arg.partition("=")
        if arg.startswith("--") and value.lower() in _OFF:
            kept.append(name)
        elif arg.lower() not in _OFF or not kept or not kept[-1].startswith("--"):
            kept.append(arg)
    return kept


class Parser(simple_parsing.ArgumentParser):
    """An ArgumentParser whose errors are UserErrors with the nearest flag or choice."""

    def __init__(self, **kwargs):
        super().__init__(add_option_string_dash_variants=simple_parsing.DashVariant.DASH, allow_abbrev=False,
                         formatter_class=simple_parsing.SimpleHelpFormatter, **kwargs)
        self.add_argument("--version", action="version", version=f"tf2gan {tf2gan.__version__}")

    def error(self, message):
        raise UserError(self._with_nearest(message))

    def _with_nearest(self, message):
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        found = re.match(r"unrecognized arguments: (\S+)", message)
        if found:
            near = difflib.get_close_matches(found.group(1), flags, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}? " if near else ""
            return f"unknown argument {found.group(1)}: {hint}--help lists what is possible"
        found = re.search(r"argument (\S+): invalid choice: '?([^']*?)'? \(choose from (.*)\)", message)
        if found:
            choices = [choice.strip(" '\"") for choice in found.group(3).split(",")]
            near = difflib.get_close_matches(found.group(2), choices, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            return f"{found.group(1)} {found.group(2)}: {hint}possible: {', '.join(choices)}"
        return re.sub(r"^argument (\S+): ", r"\1: ", message)


def run(main):
    """Runs `main()` and ends the process: 0; 2 and one line for bad input; 130 after Ctrl-C; 1 for our own failures."""
    try:
        sys.exit(main())
    except UserError as error:
        print(f"{_program()}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{_program()}: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
        sys.exit(1)


def _program():
    return sys.argv[0].rsplit("/", 1)[-1]
