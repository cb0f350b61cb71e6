"""benchmarks/costs.py: its rows can all be trained, a step is timed with and without, and what is refused."""
import re
import subprocess
import sys

import pytest
import tool

from benchmarks import costs


def run(*args):
    return subprocess.run([sys.executable, tool.ROOT / "benchmarks" / "costs.py", *args], capture_output=True,
                          text=True, env=tool.environment())


@pytest.mark.parametrize("model", costs.AXES)
def test_each_row_adds_something_that_can_be_trained(model):
    always, rows = costs.AXES[model]
    for before, added in rows:
        without, with_it = (costs._job(model, {**always, **changes}, "float32")["config"]
                            for changes in (before, {**before, **added}))
        assert {name: value for name, value in with_it.items() if without[name] != value} == added


def test_the_table(monkeypatch, capsys):
    monkeypatch.setattr(costs, "AXES", {"gan": ({"batch_size": 8}, [({}, {"loss": "hinge"}),
                                                                    ({}, {"penalty": "r1", "penalty_every": 2})])})
    costs.main(["--models", "gan", "--rounds", "2", "--seconds", "0.05"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| | | added | ms a step without | with over without |" and len(lines) == 4
    ratio = r"\d+ \| \d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\) \|"
    assert re.fullmatch(rf"\| `gan` \| `--batch-size 8` \| `--loss hinge` \| {ratio}", lines[2]), lines[2]
    assert re.fullmatch(rf"\| `gan` \| `--batch-size 8` \| `--penalty r1` `--penalty-every 2` \| {ratio}", lines[3])


@pytest.mark.parametrize("args, message", [
    (("--models", "foo"), "costs.py: --models foo: 'foo' is none; possible: one or more of dcgan,"),
    (("--rounds", "0"), "costs.py: --seconds must be above 0, --rounds at least 1"),
    (("--precision", "int8"), "costs.py: ")])
def test_bad_options(args, message):
    done = run(*args)
    assert done.returncode == 2 and done.stderr.startswith(message) and done.stderr.count("\n") == 1, done.stderr
