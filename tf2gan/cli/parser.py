"""The command line of all tools: flags from dataclasses, one line for bad input, exit codes."""
import argparse
import re
import sys

import simple_parsing

from tf2gan._version import __version__
from tf2gan.core.errors import Failure, UserError, did_you_mean

_OFF = ("none", "off")


def normalized(args) -> list:
    """Turns `--flag none` and `--flag=off` into `--flag` alone, which simple_parsing reads as None if None is allowed.
    """
    kept = []
    for arg in args:
        name, _, value = arg.partition("=")
        if arg.startswith("--") and value.lower() in _OFF:
            kept.append(name)
        elif arg.lower() not in _OFF or not kept or not kept[-1].startswith("--"):
            kept.append(arg)
    return kept


class _OneLineAnOption(simple_parsing.SimpleHelpFormatter):
    def __init__(self, prog):
        super().__init__(prog, max_help_position=86, width=220)

    def _format_usage(self, usage, actions, groups, prefix):
        return f"usage: {self._prog} [options]\n\n"

    def _get_help_string(self, action):
        text = re.sub(r"\s*\(default: %\(default\)s\)|\s*\(default: (True|False)\)", "", action.help or "")
        if action.default is argparse.SUPPRESS or action.required or not action.option_strings:
            return text
        words = {"None": "none", "False": "off", "True": "on"}
        return f"{text} (default: {words.get(str(action.default), action.default)})"


class Parser(simple_parsing.ArgumentParser):
    """An ArgumentParser whose errors are UserErrors with the nearest flag or choice."""

    def __init__(self, plugins=True, **kwargs):
        super().__init__(add_option_string_dash_variants=simple_parsing.DashVariant.DASH, allow_abbrev=False,
                         formatter_class=_OneLineAnOption, **kwargs)
        self.add_argument("--version", action="version", version=f"tf2gan {__version__}")
        if plugins:
            self.add_argument("--plugin", metavar="str", help="Python file that registers a method of your own")

    def format_help(self):
        """One line per option: without brackets around optional values, and without the negation of flags."""
        for action in self._actions:
            choices = _choices(action)
            if choices:  # an optional Literal, which argparse does not see as choices
                action.nargs, action.metavar = None, "{" + ",".join(choices) + ",none}"
            elif action.metavar == "bool":
                action.option_strings = action.option_strings[:1 + bool(action.default)]
                action.nargs, action.metavar = 0, None
            elif isinstance(action.metavar, str):
                kind = action.metavar.strip("[]")
                action.nargs, action.metavar = None, "str ..." if kind == "List" else kind
        for group in self._action_groups:
            if group.description:  # the dataclass's docstring; the title is its name
                group.title, group.description = group.description.splitlines()[0].rstrip("."), None
        return super().format_help()

    def error(self, message):
        found = re.match(r"argument (--\S+): invalid .* value: '([^']*)'$", message)
        for action in self._actions if found else ():
            if found.group(1) in action.option_strings and _choices(action):
                choices = [*_choices(action), "none"]
                raise UserError(f"{found.group(1)} {found.group(2)}: {did_you_mean(found.group(2), choices)}possible: "
                                f"{', '.join(choices)}")
        raise UserError(self._with_nearest(message))

    def _with_nearest(self, message):
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        found = re.match(r"unrecognized arguments: (\S+)", message)
        if found:
            hint = did_you_mean(found.group(1), flags, cutoff=0.6)
            return f"unknown argument {found.group(1)}: {hint}--help lists what is possible"
        found = re.search(r"argument (\S+): invalid choice: '?([^']*?)'? \(choose from (.*)\)", message)
        if found:
            choices = [choice.strip(" '\"") for choice in found.group(3).split(",")]
            hint = did_you_mean(found.group(2), choices)
            return f"{found.group(1)} {found.group(2)}: {hint}possible: {', '.join(choices)}"
        return re.sub(r"^argument (\S+): ", r"\1: ", message)


def _choices(action):
    """The choices of an option whose type is an optional Literal; else ()."""
    name = str(getattr(action.type, "__name__", ""))
    return re.findall(r"'([^']*)'", name) if action.nargs in ("?", None) and "Literal[" in name else ()


def run_tool(main, program):
    """Runs `main()` and exits with its exit code; 2 for a UserError, 1 for a Failure, 130 after Ctrl-C, and one line.

    `program`: what the line begins with.
    """
    try:
        sys.exit(main())
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(2)
    except Failure as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `| head`, has closed the pipe
        sys.stderr.close()
        sys.exit(1)
