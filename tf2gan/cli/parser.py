"""The command line of all tools: flags from dataclasses, one line for bad input, exit codes."""
import argparse
import errno
import io
import os
import re
import sys

import simple_parsing

from tf2gan._version import __version__
from tf2gan.core import terminal
from tf2gan.core.errors import Failure, UserError, did_you_mean, flag

_OFF, _SWITCHED = ("none", "off"), {"off": "false", "on": "true"}
# What other tools call an option of the same meaning.
_OTHER_NAMES = {"--lr": "--learning-rate", "--bs": "--batch-size", "--batch": "--batch-size", "--size": "--image-size",
                "--img-size": "--image-size", "--resolution": "--image-size", "--iterations": "--steps",
                "--iters": "--steps", "--num-steps": "--steps", "--num-epochs": "--epochs", "--n-epochs": "--epochs",
                "--gpus": "--replicas", "--num-gpus": "--replicas", "--outdir": "--run-dir",
                "--output-dir": "--run-dir", "--logdir": "--run-dir", "--data": "--dataset", "--data-path": "--dataset",
                "--flip": "--mirror", "--hflip": "--mirror",
                "--z-dim": "--latent-size", "--latent-dim": "--latent-size",
                "--gp-weight": "--penalty-weight", "--beta1": "--beta-1", "--beta2": "--beta-2"}


# Flags whose value is a name or a path, which may be "none" or "off"; without the flag there is none.
_NAMES = {flag(name) for name in (
    "against", "classifier", "config", "data_dir", "data_license", "dataset", "direction", "from_class", "images",
    "input", "json", "label", "labels", "latents", "model", "module", "nearest", "output", "plugin", "preset",
    "project", "resume", "run", "run_dir", "save_direction", "save_latents", "savedmodel", "split", "to_class")}


def normalized(args, switches=()) -> list:
    """`args` as simple_parsing reads them as meant.

    `switches`: flags that are on or off, of which `--mirror off` becomes `--mirror=false`. Of others `--flag none` and
    `--flag=off` become `--flag` alone, which simple_parsing reads as None if None is allowed; but `--label off` is the
    name `off`. `~` is expanded in `--flag=~/path` too, where the shell leaves it as it is. A name that begins with a
    dash is joined to its flag.
    """
    kept, waits = [], None  # the flag of _NAMES whose value comes next
    for arg in map(_home, args):
        name, equals, value = arg.partition("=")
        if waits:
            if arg.startswith("-") and not arg.startswith("--"):
                kept[-1] = f"{waits}={arg}"
            else:
                kept.append(arg)
            waits = None
        elif name in _NAMES:
            kept.append(arg)
            waits = None if equals else name
        elif name in switches and value.lower() in _SWITCHED:
            kept.append(f"{name}={_SWITCHED[value.lower()]}")
        elif kept and kept[-1] in switches and arg.lower() in _SWITCHED:
            kept[-1] = f"{kept[-1]}={_SWITCHED[arg.lower()]}"
        elif arg.startswith("--") and value.lower() in _OFF:
            kept.append(name)
        elif arg.lower() not in _OFF or not kept or not kept[-1].startswith("--"):
            kept.append(arg)
    return kept


def _home(arg):
    name, equals, value = arg.partition("=")
    if name.startswith("--") and equals and value.startswith("~"):
        return f"{name}={os.path.expanduser(value)}"
    return os.path.expanduser(arg) if arg.startswith("~") else arg


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

    def parse_known_args(self, args=None, *more, **kwargs):
        """As argparse's, of `normalized` arguments; parse_args calls it."""
        self._preprocessing(args=[], namespace=None)  # simple_parsing adds the flags of dataclasses only here
        switches = {flag for action in self._actions if action.metavar == "bool" for flag in action.option_strings}
        return super().parse_known_args(normalized(sys.argv[1:] if args is None else args, switches), *more, **kwargs)

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
            name = found.group(1).partition("=")[0]
            hint = self._of_several(name, flags) or self._of_another(name) or did_you_mean(name, flags, cutoff=0.6)
            return f"unknown argument {found.group(1)}: {hint}--help lists what is possible"
        found = re.search(r"argument (\S+): invalid choice: '?([^']*?)'? \(choose from (.*)\)", message)
        if found:
            choices = [choice.strip(" '\"") for choice in found.group(3).split(",")]
            hint = did_you_mean(found.group(2), choices)
            return f"{found.group(1)} {found.group(2)}: {hint}possible: {', '.join(choices)}"
        return re.sub(r"^argument (\S+): ", r"\1: ", message)


    @staticmethod
    def _of_several(name, flags):
        """A hint for a flag that exists under a longer name, or under several: --lr, --learning-rate, --size."""
        known = _OTHER_NAMES.get(name, name)
        meant = [each for each in flags if each == known or each.endswith(known[1:])] or [
            each for each in flags if each.startswith(f"{known}-")]
        meant = [each for each in meant if not each.startswith("--no")]
        if not meant or len(meant) > 4:
            return ""
        return f"did you mean {' or '.join(sorted(meant))}? "

    def _of_another(self, name):
        """A hint for a flag that only others have; a tool says which in `flags_of_others`, {flag: who has it}."""
        owners = self.flags_of_others().get(name)
        return f"it is an option of {', '.join(owners)}; " if owners else ""

    flags_of_others = staticmethod(dict)


def _choices(action):
    """The choices of an option whose type is an optional Literal; else ()."""
    name = str(getattr(action.type, "__name__", ""))
    return re.findall(r"'([^']*)'", name) if action.nargs in ("?", None) and "Literal[" in name else ()


def run_tool(main, program):
    """Runs `main()` and exits with its exit code; 2 for a UserError, 1 for a Failure, 130 after Ctrl-C, and one line.

    `program`: what the line begins with.
    """
    for stream in (sys.stdout, sys.stderr):  # a character that the terminal lacks must not end the work
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = main()
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a closed pipe is no traceback
        sys.exit(code)
    except UserError as error:
        terminal.say(f"{program}: {error}")
        sys.exit(2)
    except Failure as error:
        terminal.say(f"{program}: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        terminal.say(f"{program}: interrupted")
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `| head`, has closed the pipe
        terminal.discard(sys.stdout)
        sys.exit(1)
    except OSError as error:  # of a file it has a name
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO, errno.EBADF):
            raise
        terminal.discard(sys.stdout)
        terminal.say(f"{program}: cannot write to stdout: {error.strerror}")
        sys.exit(1)
