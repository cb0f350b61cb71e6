"""`tf2gan.compare`: several runs on one page."""
import os
import pathlib

from tf2gan.api.run import Run
from tf2gan.api.session import networks_given
from tf2gan.report import comparison


def compare(runs, output=None, overwrite=False) -> pathlib.Path:
    """Writes an HTML page that compares runs, as tools/report.py does of several; returns its path.

    Args:
        runs: `tf2gan.Run`s, or the paths of their folders.
        output: the page; None: comparison.html in the working directory.

    Raises UserError for fewer than two runs, for one that is given twice, and for a page that cannot be written.
    """
    folders = [run.path if isinstance(run, Run) else pathlib.Path(os.path.expanduser(os.fspath(run))) for run in runs]
    own = [networks_given(**run._networks) if isinstance(run, Run) else None for run in runs]
    return comparison.write(folders, output, overwrite, own)
