"""benchmarks/benchmark.py end to end, shrunk, and what it refuses before any work. No test is of a time."""
import json

import pytest

from benchmarks import benchmark, comparing, looking, process, report, running
from tf2gan.core.errors import UserError


@pytest.fixture
def quick(monkeypatch):
    for module in (comparing, looking):
        monkeypatch.setattr(module, "WARM_UP_SECONDS", 0.0)
    for name, value in (("PEAK_SECONDS", 0.01), ("PIPELINE_SECONDS", 0.01), ("SINGLE_STEPS", 2)):
        monkeypatch.setattr(comparing, name, value)


SMALL = ["--model", "dcgan", "--image-size", "8", "--batch-size", "2", "--steps", "1", "--rounds", "1"]


def test_a_comparison_is_a_table_and_json(quick, tmp_path, capsys):
    file = tmp_path / "benchmark.json"
    benchmark.main([*SMALL, "--baselines", "book", "plain", "--json", str(file)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("machine: ")
    assert "tensorflow" in lines[1]
    assert "dcgan, 8x8, batch size 2, float32" in lines
    for name in ("tf2gan", "book", "plain"):
        assert sum(line.startswith(f"{name} ") for line in lines) == 1
    record = json.loads(file.read_text())
    assert record["machine"]["cores"] >= 1
    (result,) = record["results"]
    found = result["comparison"]
    assert list(found["contestants"]) == ["tf2gan", "book", "plain"]
    ours, book = found["contestants"]["tf2gan"], found["contestants"]["book"]
    step = ours["step_seconds"]["median"]
    assert ours["tf2gan_over_this"]["median"] == 1.0
    assert book["tf2gan_over_this"]["median"] == pytest.approx(step / book["step_seconds"]["median"])
    assert ours["images_per_second"]["median"] == pytest.approx(1 / step)  # half_batches: one real image
    assert found["share_of_peak"]["median"] == pytest.approx(
        found["gflop_per_step"] / step / found["peak_gflop_per_second"]["median"])
    assert found["overhead"]["checkpoints"] == 5
    assert found["overhead"]["samples"] == 101
    assert 0 < found["overhead"]["share"] < 1
    assert all(each["peak_memory_bytes"] > 2 ** 26 for each in found["contestants"].values())


def test_memory_is_told_at_each_tenth(quick, tmp_path, capsys):
    file = tmp_path / "memory.json"
    benchmark.main([*SMALL, "--memory-steps", "10", "--json", str(file)])
    rows = json.loads(file.read_text())["results"][0]["memory"]
    assert [row["step"] for row in rows] == list(range(11))
    assert all(row["bytes"] > 2 ** 26 for row in rows)


@pytest.mark.parametrize("args, message", [
    (["--model", "dcgna"], "unknown model 'dcgna': did you mean 'dcgan'? possible: .*"),
    (["--model"], "--model: needed: .*"),
    (["--precision", "float64"], "unknown precision 'float64': .*possible: bfloat16, float32"),
    (["--baselines", "torhc"], "unknown baseline 'torhc': did you mean 'torch'? possible: book, plain, torch"),
    (["--rounds", "0"], "--rounds 0: must be at least 1"),
    (["--steps", "0"], "--steps 0: must be at least 1"),
    (["--batch-size", "0"], "--batch-size 0: must be at least 1"),
    (["--memory-steps", "9"], "--memory-steps 9: must be at least 10"),
    (["--growth", "--profile"], "give only one of --growth, --profile"),
    (["--growth", "--image-size", "64"], "--growth: has sizes of its own.*"),
    (["--growth", "--model", "wgan"], "--growth: is there for cyclegan, dcgan, not for wgan"),
    (["--profile", "--baselines", "plain"], "--baselines: are for the comparison, not for --profile"),
    (["--model", "cyclegan", "--image-size", "40"], "--image-size 40: .*"),
    (["--model", "dcgan", "--batch-size", "3"], "--batch-size 3: must be even.*"),
    (["--torch-python", "no/python"], "--torch-python no/python: no such file"),
    (["--json", "."], "--json .: is a folder.*"),
    (["--rouds", "3"], "unknown argument --rouds: did you mean --rounds.*")])
def test_bad_input_is_one_line_before_any_work(args, message, monkeypatch):
    monkeypatch.setattr(process, "Worker", lambda *args: pytest.fail("has begun to work"))
    monkeypatch.setattr(running.machine, "describe", lambda *args: pytest.fail("has begun to work"))
    with pytest.raises(UserError, match="^" + message.replace("?", "[?]") + "$"):
        benchmark.main(args)


def test_who_cannot_take_part_is_told_why(monkeypatch):
    from benchmarks.options import Options

    monkeypatch.setattr(process, "torch_version", lambda python: None)
    options = Options()
    for model, names, skipped in (("dcgan", ["tf2gan", "book", "plain"], ["torch"]),
                                  ("wgan", ["tf2gan", "plain"], ["book", "torch"])):
        found = comparing.contestants_of(options.job(model, "float32"), options)
        assert found[0] == names
        assert list(found[1]) == skipped


def test_a_profile_and_growth_are_tables():
    text = report.profile({"seconds": 0.5, "ops": {"Conv2D": 0.3, "Relu": 0.1}})
    assert "Conv2D         300.00  75.0" in text
    assert "Relu           100.00  25.0" in text
