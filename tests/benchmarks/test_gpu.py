"""benchmarks/gpu.py, as far as it can run without a GPU: each case in a process of its own, and one that cannot be."""
import re
import subprocess
import sys

import pytest
import tool


def gpu(*args):
    return subprocess.run([sys.executable, tool.ROOT / "benchmarks" / "gpu.py", *args], capture_output=True, text=True,
                          env=tool.environment())


def test_the_table():
    done = gpu("--models", "gan", "--precisions", "float32", "--seconds", "0.2", "--replicas", "2", "--batch-size", "8")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"peak in float32, no GPU: [\d,]+ GFLOP/s \(", lines[0])
    number = r"[\d.,]+"
    for line, (jit, replicas) in zip(lines[3:], (("no", 1), ("yes", 1))):
        assert re.fullmatch(rf"\| `gan`, \S+, 8 \| float32 \| {jit} \| {replicas} \| {number} \| {number} \| {number}% \| "
                            rf"{number} s \|", line), line
    assert re.fullmatch(rf"\| `gan`, \S+, 8 \| float32 \| no \| 2 \| {number} \| \| \| {number} s \|", lines[5])


@pytest.mark.parametrize("args, message", [
    (("--models", "foo"), "gpu.py: --models foo: 'foo' is none; possible: "),
    (("--seconds", "0"), "gpu.py: --seconds must be above 0"),
    (("--precisions", "int8"), "gpu.py: --precisions int8: 'int8' is none; possible: ")])
def test_bad_options(args, message):
    done = gpu(*args)
    assert done.returncode == 2 and done.stderr.startswith(message) and done.stderr.count("\n") == 1, done.stderr
