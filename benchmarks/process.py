"""Starts a worker process and sends it requests."""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from benchmarks import worker
from tf2gan.core.errors import Failure


class Worker:
    """A contestant's process; see `worker.serve`. Use it in a `with` statement, which ends it."""

    def __init__(self, name, python=None):
        """Returns once the contestant's library is imported. `python`: the interpreter; None: this one."""
        self.name = name
        self._began = time.perf_counter()
        self._stderr = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen([python or sys.executable, worker.__file__], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=self._stderr, text=True)
        try:
            self._ask("contestant", name)
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - self._began

    def ask(self, method, **arguments):
        """Returns what the contestant's method returns. Raises Failure if it raises, or if the process ends."""
        return self._ask(method, arguments)

    def memory(self) -> dict:
        """See `worker.memory`."""
        return self._ask("memory", {})

    def _ask(self, method, arguments):
        try:
            self._process.stdin.write(json.dumps({method: arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._stderr.seek(0)
            last = ([line.strip() for line in self._stderr if line.strip()] or ["without a word"])[-1]
            raise Failure(f"{self.name}: its process ended with {self._process.wait()}: {last}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"{self.name}: {method}: {answer['error']}")
        return answer["value"]

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def torch_version(python=None):
    """The version of torch of the interpreter `python` (None: this one); None if it has no torch."""
    code = "import importlib.metadata as m; print(m.version('torch'))"
    try:
        done = subprocess.run([python or sys.executable, "-c", code], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def is_interpreter(python) -> bool:
    """Whether the file `python` exists."""
    return pathlib.Path(python).is_file()
