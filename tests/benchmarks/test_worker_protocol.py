"""Workers: what they answer, and how they fail."""
import io
import json
import os
import sys

import pytest

from benchmarks import process, worker
from tf2gan.core.errors import Failure


class Counting:
    """A contestant that only counts."""

    def __init__(self, job):
        self.total = job["start"]

    def first_step(self):
        return {"total": self.total}

    def add(self, number):
        if number < 0:
            raise ValueError("too\nsmall")
        self.total += number
        return self.total


def answers(monkeypatch, *requests):
    monkeypatch.setattr(worker, "contestant_class", {"counting": Counting}.__getitem__)
    out = io.StringIO()
    worker.serve([json.dumps(request) for request in requests], out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_request_has_one_answer_and_an_error_ends_nothing(monkeypatch):
    found = answers(monkeypatch, {"contestant": "counting"}, {"build": {"job": {"start": 3}}}, {"add": {"number": 2}},
                    {"add": {"number": -1}}, {"add": {"number": 4}}, {"nothing": {}})
    assert found[:5] == [{"value": None}, {"value": {"total": 3}}, {"value": 5},
                         {"error": "ValueError: too small"}, {"value": 9}]
    assert found[5]["error"].startswith("AttributeError")


def test_memory_is_that_of_the_process():
    before = worker.memory()
    block = b"1" * 2 ** 28  # much more than the process may give back meanwhile
    after = worker.memory()
    assert len(block) == 2 ** 28
    assert after["now"] - before["now"] > 2 ** 27
    assert after["peak"] >= after["now"] > 0


def stub(tmp_path, body):
    """An interpreter that does `body` with each line that it is sent."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys\nfor line in sys.stdin:\n    {body}\n")
    os.chmod(path, 0o755)
    return str(path)


def test_answers_come_back_and_the_process_ends_with_the_block(tmp_path):
    python = stub(tmp_path, "print(json.dumps({'value': json.loads(line)}), flush=True)")
    with process.Worker("peak", python) as asked:
        assert asked.ask("rate", seconds=2) == {"rate": {"seconds": 2}}
        assert asked.start_seconds > 0
    assert asked._process.returncode == 0


def test_an_error_is_told_with_the_name_of_the_contestant(tmp_path):
    python = stub(tmp_path, "print(json.dumps({'error': 'ValueError: no'} if 'rate' in line else {'value': 0}), "
                            "flush=True)")
    with process.Worker("peak", python) as asked, pytest.raises(Failure, match="^peak: rate: ValueError: no$"):
        asked.ask("rate")


def test_a_process_that_ends_is_told_with_its_last_words(tmp_path):
    with pytest.raises(Failure, match="^book: its process ended with 3: killed by the cold$"):
        process.Worker("book", stub(tmp_path, "print('killed by the cold', file=sys.stderr); sys.exit(3)"))


def test_an_interpreter_without_torch_has_no_version(tmp_path):
    assert process.torch_version(str(tmp_path / "none")) is None
    assert process.torch_version(stub(tmp_path, "pass")) in (None, "")
