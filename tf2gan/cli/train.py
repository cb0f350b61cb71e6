"""Trains a GAN, or resumes a run."""
import dataclasses
import difflib
import json
import os
import pathlib
import re
import shlex
import sys
from typing import Optional

from tf2gan.cli import plugins
from tf2gan.cli.parser import Parser
from tf2gan.core import terminal
from tf2gan.core.errors import Failure, UserError, flag
from tf2gan.core.options import typed
from tf2gan.gans import GANS


@dataclasses.dataclass
class Arguments:
    """What to do"""

    model: Optional[str] = None  # the method, one of those listed by --list
    preset: Optional[str] = None  # a named set of defaults of the method
    resume: Optional[str] = None  # resume the run in this folder
    config: Optional[str] = None  # JSON file of options, such as a run's config.json; flags override it
    print_config: bool = False  # print the resolved configuration as JSON and stop
    dry_run: bool = False  # print configuration, networks, memory, images and steps, and stop
    list: bool = False  # list methods, presets and built-in data sets, and stop


def main(argv=None):
    """Parses `argv`, trains, and prints how it ended. Returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    plugins.load(argv)
    if "--version" in argv:
        _parser().parse_args(["--version"])
    if any(word in ("-h", "--help") for word in argv):
        return _help(argv)
    several = _seeds(argv)
    if several is not None:
        return _train_seeds(*several)
    return _train(argv)[0]


def _train(argv):
    """(exit code, folder of the run or None) of one command line."""
    try:
        request, arguments = parse(argv)
    except UserError as error:
        if os.environ.get("TF_CONFIG"):
            from tf2gan.training import cluster

            cluster.refused(error)
        raise
    from tf2gan.evaluation import during_training  # --help needs no networks
    from tf2gan.training import job

    if arguments.list:
        print(listing())
    elif arguments.print_config:
        print(job.resolved(request))
    elif arguments.dry_run:
        print(job.dry_run(request, during_training))
    else:
        outcome = job.run(request, during_training)
        terminal.tell(outcome.message)
        return 128 + outcome.signal if outcome.signal else 0, outcome.folder
    return 0, None


def _seeds(argv):
    """(`argv` without them, the seeds) if --seed has several, such as 0,1,2; else None. Raises UserError."""
    for position, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == "--seed":
            value = value if equals else argv[position + 1] if position + 1 < len(argv) else ""
            if "," not in value:
                return None
            if not re.fullmatch(r"[0-9]+(,[0-9]+)+", value):
                raise UserError(f"--seed {value}: must be a number, or several such as 0,1,2")
            seeds = [int(part) for part in value.split(",")]
            if len(set(seeds)) < len(seeds):
                raise UserError(f"--seed {value}: one is there twice")
            for other in ("--resume", "--print-config", "--dry-run", "--list"):
                if any(each.split("=")[0] == other for each in argv):
                    raise UserError(f"--seed {value}: several seeds are several runs; {other} is of one")
            if os.environ.get("TF_CONFIG"):
                raise UserError(f"--seed {value}: with the workers of TF_CONFIG, each run needs a process of its own")
            return [*argv[:position], *argv[position + (1 if equals else 2):]], seeds
    return None


def _train_seeds(argv, seeds):
    """Trains a run for each seed, one after the other, and prints what they have in common. Returns the exit code."""
    from tf2gan.runs import run_folder

    lines = {seed: _of_seed(argv, seed) for seed in seeds}
    for line in lines.values():  # before the first: a mistake in a later one would come after hours
        options = parse(line)[0].options
        if options.run_dir:
            run_folder.check_new(options.run_dir)
    folders, failed = [], False
    for number, (seed, line) in enumerate(lines.items(), start=1):
        terminal.say(f"seed {seed} ({number} of {len(seeds)})")
        try:
            code, folder = _train(line)
        except Failure as error:  # that of one seed says nothing of the others
            terminal.say(f"seed {seed}: {error}")
            failed = True
            continue
        if code:
            return code
        folders.append(folder)
    if len(folders) > 1:
        terminal.tell(_summary(folders))
    return 1 if failed else 0


def _of_seed(argv, seed):
    """The command line of one seed; --run-dir X is the folder around the runs."""
    own = [*argv, "--seed", str(seed)]
    for position, word in enumerate(own):
        if word == "--run-dir" and position + 1 < len(own):
            own[position + 1] = os.path.join(own[position + 1], f"seed-{seed}")
        elif word.startswith("--run-dir="):
            own[position] = f"{word}/seed-{seed}"
    return own


def _summary(folders) -> str:
    from tf2gan.evaluation import over_runs
    from tf2gan.runs import run_folder

    names = shlex.join(map(str, folders))
    lines = [f"{len(folders)} runs: {names}"]
    runs = [run_folder.Run(folder) for folder in folders]
    records = [json.loads(run.evaluation_file.read_text(encoding="utf-8")) for run in runs
               if run.evaluation_file.exists()]
    if len(records) == len(runs):
        lines.append(over_runs.summary(records)["table"])
    else:
        last = [run.logs()[-1] for run in runs]
        for name in [name for name in last[0] if name not in over_runs.CLOCKS]:
            spread = over_runs.spread([line[name] for line in last])
            lines.append(f"  {name:24} {spread['mean']:.4g} ±{spread['deviation']:.2g}")
        lines.append("the last log lines: mean ±standard deviation over the seeds")
    lines += [f"figures:  tools/evaluate.py --run {names}", f"one page: tools/report.py --run {names}"]
    return "\n".join(lines)


def listing() -> str:
    """Methods with their presets, and built-in data sets, as text."""
    from tf2gan.data import load

    lines = ["models (--model) and their presets (--preset; one that begins with its model's name is a --model too):"]
    width = max(map(len, GANS))
    for name in GANS:
        lines += [f"  {name:{width}} {GANS.description(name)}",
                  f"  {'':{width}} presets: {', '.join(GANS.numbers(name).presets)}"]
    lines += ["built-in data sets (no download):", *(f"  {name}" for name in load.BUILT_IN),
              "any data set of tensorflow-datasets, and any folder of images, with a sub folder for each class or",
              "without; for cyclegan, augmented-cyclegan and cut a folder with trainA trainB testA testB; for pix2pix",
              "a folder of pairs; for cycada a source with labels, and a --target of which the images are enough"]
    return "\n".join(lines)


def parse(argv):
    """(Request or None, Arguments) of a command line. Raises UserError for invalid arguments."""
    from tf2gan.runs.record import LENGTHS
    from tf2gan.runs.run_folder import Run
    from tf2gan.training import request
    from tf2gan.training.options import Options

    arguments, rest = _arguments(argv)
    if arguments.list:
        return None, arguments
    if arguments.resume and arguments.config:
        raise UserError("--config cannot be given with --resume: a run keeps its configuration")
    run, values, source = None, {}, None
    if arguments.resume:
        run = Run(arguments.resume)
        if any(word.split("=")[0] == "--run-dir" for word in argv):
            raise UserError("--run-dir cannot be given with --resume: a run stays in its folder")
        values, source = _flat(run.record), run.path / "config.json"
    elif arguments.config:
        source = pathlib.Path(arguments.config)
        values = _flat(_read(source))
    of_file = {name: values.pop(name, None) for name in ("model", "preset")}
    if run is None and arguments.model is None and of_file["model"] is not None:
        arguments.model, arguments.preset = of_file["model"], arguments.preset or of_file["preset"]
    elif run is None and of_file["model"] == arguments.model:
        arguments.preset = arguments.preset or of_file["preset"]
    if run is None and arguments.model is None and rest and difflib.get_close_matches(
            rest[0], ["--model", "--resume", "--config"]):
        _parser().parse_args(argv)  # its error names the nearest flag
    model, preset = request.method_and_preset(arguments.model, arguments.preset, run)
    # A length that is typed overrides those of the file.
    lengths_typed = {name for name in LENGTHS if any(word.split("=")[0] == flag(name) for word in argv)}
    values = {name: value for name, value in values.items() if not (lengths_typed and name in LENGTHS)}
    values = typed([GANS.numbers(model).Config, Options], values, source)
    lengths_of_file = {name for name in LENGTHS if values.get(name) is not None}
    config, options = request.defaults(model, preset, values)
    parsed = _parser(config, options).parse_args(argv)
    if run is None and options.evaluate_every and not parsed.options.evaluate_every:  # typed: 0
        options = request.defaults(model, preset, {**values, "evaluate_every": 0})[1]
        parsed = _parser(config, options).parse_args(argv)
    made = request.made(model, preset, parsed.method, parsed.options, run, lengths_typed | lengths_of_file)
    program = ["tf2gan", "train"] if sys.argv[0] == "tf2gan train" else ["tools/train.py"]
    return dataclasses.replace(
        made, command=shlex.join([*program, *argv]),
        way_back=lambda folder: shlex.join([*program, "--resume", str(folder)])), arguments


def _help(argv):
    """Prints --help, with the options of the method if `argv` names one."""
    arguments, _ = _arguments([word for word in argv if word not in ("-h", "--help")])
    config = options = None
    if arguments.model in GANS.names():
        model, preset = GANS.names()[arguments.model]
        numbers = GANS.numbers(model)
        preset = arguments.preset if arguments.preset in numbers.presets else preset
        config, options = numbers.presets[preset], numbers.preset_options.get(preset, {})
    _parser(config, options).print_help()
    return 0


def _arguments(argv):
    """(Arguments, the remaining words of `argv`)."""
    parser = Parser(add_help=False)  # it also consumes --plugin
    parser.add_arguments(Arguments, "arguments")
    outer, rest = parser.parse_known_args(argv)
    for name in ("model", "preset", "resume", "config"):
        if flag(name) in argv and getattr(outer.arguments, name) is None:
            raise UserError(f"{flag(name)}: expected one argument")
    return outer.arguments, rest


def _parser(config=None, options=None):
    """`config`, `options`: the defaults of the method's options and of the run's options."""
    from tf2gan.training.options import Options

    parser = Parser(description="Trains a GAN. With --model NAME, --help lists the method's own options too.")
    parser.flags_of_others = _flags_of_methods
    parser.add_arguments(Arguments, "arguments")
    parser.add_arguments(Options, "options", default=Options(**options) if isinstance(options, dict) else
                         options or Options())
    if config is not None:
        parser.add_arguments(type(config), "method", default=config)
    return parser


def _flags_of_methods() -> dict:
    """{flag: the methods that have it}."""
    found = {}
    for name in GANS:
        for field in dataclasses.fields(GANS.numbers(name).Config):
            found.setdefault(flag(field.name), []).append(name)
    return found


def _read(path) -> dict:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"--config {path}: {getattr(error, 'strerror', None) or f'not JSON: {error}'}") from error
    if not isinstance(record, dict):
        raise UserError(f"--config {path}: a JSON object of options is needed")
    return record


def _flat(record: dict) -> dict:
    """Options by name, from a run's config.json, from the output of --print-config, or from an object of options."""
    if isinstance(record.get("config"), dict) and isinstance(record.get("options", {}), dict):
        known = {name: record.get(name) for name in ("model", "preset")}
        # A new run must not inherit the folder.
        options = {name: value for name, value in record.get("options", {}).items() if name != "run_dir"}
        return {**known, **record["config"], **options}
    return dict(record)
