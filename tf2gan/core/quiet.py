"""Keeps TensorFlow's chatter off the user's terminal, and lets every real warning through."""
import contextlib
import importlib.util
import logging
import os
import re
import sys
import tempfile

# TensorFlow's C++ side writes straight to file descriptor 2, at levels from I to E, before any Python setting can reach
# it. Each pattern is a line that every start prints, on a machine without an NVIDIA card or with one.
_CHATTER = re.compile("|".join([
    r"All log messages before absl::InitializeLog",
    r"oneDNN custom operations are on",
    r"Could not find cuda drivers",
    r"Unable to register cu\w+ factory",
    r"computation placer already registered",
    r"This TensorFlow binary is optimized",
    r"To enable the following instructions",
    r"TF-TRT Warning: Could not find TensorRT",
    r"failed call to cuInit: (CUDA_ERROR_NO_DEVICE|INTERNAL: CUDA error: Failed call to cuInit|UNKNOWN ERROR \(303\))",
    r"Memory patch applied: M_TRIM_THRESHOLD",
    r"Input of GeneratorDatasetOp::Dataset will not be optimized",  # whatever MirroredStrategy distributes
    r"retrieving CUDA diagnostic information|hostname: |NVIDIA driver|kernel driver|libcuda reported|kernel reported",
]))

# No INFO lines at any time; the user's own value wins. With several workers no others either: when one of them is lost,
# each of its peers would print a page about it, and what matters of that is raised in Python too.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if os.environ.get("TF_CONFIG") else "1")


@contextlib.contextmanager
def only_warnings():
    """TensorFlow's Python side logs nothing below a warning in the `with` block; in a notebook that goes to stdout."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def captured():
    """Holds back what the `with` block writes to stderr, C++ included; the list that it yields has the lines after."""
    lines = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines += file.read().decode("utf-8", "replace").splitlines()


@contextlib.contextmanager
def without_chatter():
    """Runs the `with` block; what it writes to stderr is printed afterwards, less the known chatter."""
    lines = []
    try:
        with captured() as lines:
            yield
    finally:
        for line in lines:
            if line.strip() and not _CHATTER.search(line):
                print(line, file=sys.stderr)


def _is_news(record):
    """Of TensorFlow's own log: a second model in one process has graphs of its own, which is no mistake of anybody."""
    message = record.getMessage()
    return not ("triggered tf.function retracing" in message and ("<locals>" in message or "tf2gan." in message))


class _QuietImport:
    """Finds TensorFlow for its first import in this process, which it makes a quiet one."""

    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                with without_chatter():
                    execute(module)
                    module.config.list_physical_devices()  # which looks for drivers, and tells of it
                    logging.getLogger("tensorflow").addFilter(_is_news)

            spec.loader.exec_module = exec_module
        return spec


def install():
    """From now on the first import of TensorFlow, whoever makes it, is a quiet one."""
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietImport())
