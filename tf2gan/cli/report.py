"""Writes a report of a run, one HTML page with its samples, curves, metric values and options; or compares runs."""
import dataclasses
import sys
from typing import List, Optional

from tf2gan.cli.parser import Parser
from tf2gan.core.errors import UserError


@dataclasses.dataclass
class Options:
    """What to report on, and where"""

    run: List[str]  # folder of a run, as tools/train.py writes it, or of several, which the page then compares
    output: Optional[str] = None  # the page, .html; none: report.html in the run folder; of several: comparison.html
    overwrite: bool = False  # replace an output file even if it is not a report


def main(argv=None):
    """Parses `argv`, writes the report, and prints its path and size."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    if options.output == "":
        raise UserError("--output: is empty; needed: a file's name that ends in .html")

    from tf2gan.report import comparison
    from tf2gan.report import page as report_page  # --help needs no networks
    from tf2gan.runs.record import check_outside_data

    if not options.run:
        raise UserError("--run: needed: the folder of a run, or of several")
    for run in options.run if options.output is not None else ():
        check_outside_data(run, options.output, "--output")

    if len(options.run) == 1:
        path = report_page.write(options.run[0], options.output, options.overwrite)
    else:
        path = comparison.write(options.run, options.output, options.overwrite)
    print(f"{path}: {path.stat().st_size / 2 ** 20:.1f} MiB")
