"""Figures over several runs: against scipy, in any order, and of figures that can be compared only."""
import json

import numpy as np
import pytest
import scipy.stats

from tf2gan.core.errors import UserError
from tf2gan.evaluation import over_runs
from tf2gan.runs.record import differences, grouped


@pytest.mark.parametrize("degrees", [*range(1, 36), 100, 1001])
def test_the_quantile_of_students_distribution(degrees):
    assert over_runs.t_quantile(degrees) == pytest.approx(scipy.stats.t.ppf(0.975, degrees), rel=1e-12)
    assert over_runs.t_quantile(degrees, 0.5) == pytest.approx(scipy.stats.t.ppf(0.75, degrees), rel=1e-12)


def test_the_spread_of_a_few_numbers():
    values = [0.91, 0.87, 0.95, 0.9]
    found = over_runs.spread(values)
    low, high = scipy.stats.t.interval(0.95, 3, np.mean(values), scipy.stats.sem(values))
    assert found["mean"] == pytest.approx(0.9075) and found["deviation"] == pytest.approx(np.std(values, ddof=1))
    assert found["interval"] == pytest.approx([low, high], rel=1e-12)
    assert over_runs.spread([3.0, 3.0]) == {"mean": 3.0, "deviation": 0.0, "interval": [3.0, 3.0]}


def test_the_interval_holds_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(5.0, 2.0, [4000, 3])
    ends = np.array([over_runs.spread(row)["interval"] for row in draws])
    assert np.mean((ends[:, 0] <= 5.0) & (5.0 <= ends[:, 1])) == pytest.approx(0.95, abs=0.01)


def record(accuracy, baseline=None, name="accuracy9_x-test", **others):
    values = {"model": accuracy, **({} if baseline is None else {"baseline": baseline})}
    return {"figures": [{"metric": "accuracy", "name": name, "better": "higher", "values": values}, *(
        {"metric": other, "name": f"{other}9_x-test", "better": "lower", "values": {"model": value}}
        for other, value in others.items())]}


def test_each_column_by_itself_in_whatever_order():
    records = [record(0.9, 0.7, fid=10.0), record(0.8, 0.75, fid=30.0), record(0.94, 0.71, fid=11.0)]
    found = over_runs.summary(records)
    figures = {figure["metric"]: figure for figure in found["figures"]}
    assert figures["accuracy"]["values"] == {"model": over_runs.spread([0.9, 0.8, 0.94]),
                                             "baseline": over_runs.spread([0.7, 0.75, 0.71])}
    assert figures["fid"]["values"] == {"model": over_runs.spread([10.0, 30.0, 11.0])}
    assert [(figure["num"], figure["better"]) for figure in found["figures"]] == [(3, "higher"), (3, "lower")]
    assert found["others"] == []
    for order in ([2, 1, 0], [1, 2, 0]):
        assert json.dumps(over_runs.summary([records[i] for i in order])) == json.dumps(found)


def test_the_table():
    table = over_runs.summary([record(0.9, 0.7), record(0.8)])["table"].splitlines()
    half = scipy.stats.t.ppf(0.975, 1) * 0.05
    assert table[0].split() == ["measured"] and len(table) == 5  # not all have the baseline
    assert table[1] == f"accuracy ^  0.8500 ±0.0707 [{0.85 - half:.4f}, {0.85 + half:.4f}]"
    assert table[2] == "" and table[3].startswith("mean of 2 runs ±standard deviation [95 % confidence of the mean")


def test_figures_that_not_all_have_are_told():
    found = over_runs.summary([record(0.9, fid=1.0), record(0.8)])
    assert [figure["metric"] for figure in found["figures"]] == ["accuracy"] and found["others"] == ["fid9_x-test"]
    assert found["table"].splitlines()[-2:] == ["not compared, since not all runs have them:", "  fid9_x-test"]


def test_nothing_in_common():
    with pytest.raises(UserError) as caught:
        over_runs.summary([record(0.9), record(0.8, name="accuracy9_y-test")])
    assert str(caught.value).endswith("are accuracy9_x-test, accuracy9_y-test") and "\n" not in str(caught.value)


@pytest.fixture
def run(tmp_path):
    """A function that makes the folder of a run with these fingerprints of its data."""
    def make(name, **fingerprints):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(
            {"model": "sgan", "config": {}, "options": {}, "data": {}, "fingerprints": fingerprints}))
        return str(tmp_path / name)

    return make


def test_runs_are_checked_before_they_are_measured(run, tmp_path):
    a, b, c = run("a", train="1", labelled="5"), run("b", train="1", labelled="6"), run("c", train="2")
    over_runs.check([a, b], same_data=True)
    over_runs.check([a, b, c], same_data=False)
    for paths, words in (([a, b, f"{tmp_path}/b/../a"], f"--run {tmp_path}/b/../a: is there twice"),
                         ([a, c], f"--run {c}: trained on other data than {a}"),
                         ([a, f"{tmp_path}/no"], f"{tmp_path}/no: no such run folder")):
        with pytest.raises(UserError) as caught:
            over_runs.check(paths, same_data=True)
        assert words in str(caught.value) and "\n" not in str(caught.value)


# Runs that differ in more than seeds.

def settings(model="gan", seed=0, **changes):
    return {"model": model, "total_images": 100, "options": {"precision": "float32"}, "fingerprints": {"train": "a"},
            "config": {"seed": seed, "label_seed": seed, "steps": seed + 5, "dataset": "x", "rate": 0.1, **changes}}


def test_seeds_and_ways_to_say_a_length_are_no_difference():
    assert differences([settings(), settings(seed=1)]) == {}
    assert grouped([settings(), settings(seed=1), settings(seed=2)]) == [[0, 1, 2]]


@pytest.mark.parametrize("other, expected", [
    (settings("dcgan"), {"model": ["gan", "dcgan"]}), (settings(rate=0.2), {"rate": [0.1, 0.2]}),
    (settings(more=3), {"more": [None, 3]}), ({**settings(), "total_images": 7}, {"total_images": [100, 7]}),
    ({**settings(dataset="y"), "fingerprints": {"train": "b"}}, {"data": ["x", "y"]}),
    (settings(dataset="moved"), {}),
    ({**settings(), "options": {"precision": "bfloat16"}}, {"precision": ["float32", "bfloat16"]})])
def test_what_differs(other, expected):
    assert differences([settings(), other]) == expected
    assert grouped([settings(), other]) == ([[0], [1]] if expected else [[0, 1]])


def test_runs_of_other_methods_are_rows_and_no_mean():
    records = [record(0.9), record(0.5), record(0.8)]
    found = over_runs.comparison(records, [settings(), settings("dcgan"), settings(seed=1)], ["a", "b", "c"])
    assert [row["runs"] for row in found["rows"]] == [["a", "c"], ["b"]]
    figures = [row["figures"][0]["values"]["model"] for row in found["rows"]]
    assert figures == [over_runs.spread([0.9, 0.8]), {"mean": 0.5}]
    lines = found["table"].splitlines()
    assert lines[0].split() == ["accuracy", "^"] and lines[1].startswith("a, c") and "0.8500 ±0.0707" in lines[1]
    assert lines[2].split() == ["b", "0.5000"] and "  model: gan, dcgan" in lines
    assert "±" not in lines[2] and "[" not in lines[1]
    with pytest.raises(UserError, match="no figure in common"):
        over_runs.comparison([record(0.9), record(0.8, name="accuracy9_y-test")], [settings(), settings("dcgan")],
                             ["a", "b"])
