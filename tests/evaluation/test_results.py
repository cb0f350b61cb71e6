"""Names of figures, their record and their table."""
import json
import types

import numpy as np
import pytest

from tf2gan.core.errors import UserError
from tf2gan.evaluation import results
from tf2gan.metrics import registry, statistics

EXTRACTOR = types.SimpleNamespace(name="classifier-mnist-28x28x1-81ac2b")


@pytest.mark.parametrize("arguments, expected", [
    (("fid", 10000, "mnist-test", EXTRACTOR), "fid10000_mnist-test_classifier-mnist-28x28x1-81ac2b"),
    (("fid", 10000, "mnist-test", EXTRACTOR, "raw"), "fid10000_mnist-test_classifier-mnist-28x28x1-81ac2b_raw"),
    (("swd", 500, "mnist-train", None, "averaged"), "swd500_mnist-train"),
    (("ms_ssim", 500, "mnist-train", None, "raw"), "ms_ssim_500_mnist-train_raw"),
    (("kid_a2b", 266, "cycle_gan/apple2orange-testB", None, None), "kid_a2b_266_cycle-gan-apple2orange-testB"),
    (("fid", 5, "my photos/é-train"), "fid5_my-photos-train")])
def test_names(arguments, expected):
    assert results.figure_name(*arguments) == expected


def arrays(seed, shift=0.0):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([0.2] * 3, 20)
    return {"features": random.normal(shift, 1, [20, 4]), "class_probabilities": probabilities}


def test_entries_are_figures_of_each_column():
    real, columns = arrays(0), {"model": arrays(1, 3.0), "untrained": arrays(2, 9.0)}
    found = results.entries(("fid", "kid", "classes"), real, columns.items(),
                            lambda figure, reads: f"{figure} {reads}", 7, suffix="_a2b")
    assert [figure["metric"] for figure in found] == ["fid_a2b", "kid_a2b", "class_distance_a2b", "sure_a2b"]
    assert [figure["name"] for figure in found] == ["fid features", "kid features", "class_distance class_probabilities",
                                                   "sure class_probabilities"]
    assert [figure["better"] for figure in found] == ["lower", "lower", "lower", None]
    for column, fake in columns.items():
        assert found[0]["values"][column] == statistics.frechet_distance(real["features"], fake["features"])
        kid = statistics.kernel_distance(real["features"], fake["features"], registry.SUBSETS, 10, 7)
        assert (found[1]["values"][column], found[1]["deviations"][column]) == kid
    assert "deviations" not in found[0] and found[0]["values"]["model"] < found[0]["values"]["untrained"]


def figure(metric, values, **deviations):
    return results.entry(metric, f"{metric}9_x-test", {column: (value, deviations.get(column))
                                                       for column, value in values.items()})


def test_the_table():
    found = [figure("fid", {"untrained": 1234.5, "model": 12.345, "real_train": 0.0}),
             figure("kid", {"model": -0.00123, "untrained": 0.5}, model=0.0004),
             figure("precision", {"real_train": 0.98765}), figure("sure", {"model": 1.0})]
    text = results.record({"num": 9}, found)["table"]
    cells = [("", "measured", "untrained", "real data"), ("fid v", "12.35", "1.23e+03", "0.0000"),
             ("kid v", "-0.00123 ±0.0004", "0.5000", "-"), ("precision ^", "-", "-", "0.9877"),
             ("sure", "1.0000", "-", "-")]
    assert text.splitlines() == [
        *(f"{first:11} {second:>17} {third:>10} {last:>10}" for first, second, third, last in cells),
        "", "^ higher is better, v lower; the names with their protocol:",
        "  fid9_x-test", "  kid9_x-test", "  precision9_x-test", "  sure9_x-test"]


def test_the_table_of_classes():
    classes = {"names": ["cat", "white dog"],
               "shares": {"untrained": [1.0, 0.0], "model": [0.25, 0.75], "reference": [0.5, 0.5]},
               "agreement": {"model": [0.125, None], "reference": [1.0, 0.999]}}
    record = results.record({}, [figure("fid", {"model": 1.0})], classes)
    lines = record["table"].splitlines()
    start = lines.index("") + 1
    assert lines[start:start + 8] == [
        "share of images  measured  untrained  reference",
        "cat                 25.0%     100.0%      50.0%",
        "white dog           75.0%       0.0%      50.0%",
        "",
        "read as asked  measured  reference",
        "cat               12.5%     100.0%",
        "white dog             -      99.9%",
        ""]
    assert record["classes"] is classes


def test_a_record_says_what_it_was_made_with():
    record = results.record({"num": 9}, [])
    assert record["protocol"]["num"] == 9 and record["protocol"]["versions"].keys() >= {"tf2gan", "numpy"}
    assert record["table"] == "" and "classes" not in record


def test_what_cannot_be_stored_is_said_and_costs_nothing(tmp_path, capsys):
    """Hours of work may be in it: the tool has shown it before."""
    results.store({"figures": []}, tmp_path / "a file" / "evaluation.json")
    assert json.loads((tmp_path / "a file" / "evaluation.json").read_text()) == {"figures": []}
    (tmp_path / "file").write_text("")
    results.store({"figures": []}, tmp_path / "file" / "evaluation.json")
    err = capsys.readouterr().err
    assert err.startswith(f"warning: the metrics cannot be written to {tmp_path / 'file' / 'evaluation.json'}: ")
    with pytest.raises(UserError, match="cannot be written"):
        results.write({"figures": []}, tmp_path / "file" / "evaluation.json")
