"""A second evaluation beside the first: its figures are added, unless it was of something else."""
import json
import types

import pytest
import tool

from tf2gan.core.errors import UserError
from tf2gan.evaluation import beside, results
from tf2gan.runs import restore


def record(extractor, **figures):
    return results.record(
        {"source": "run of dcgan", "images_seen": 64, "weights": "averaged", "dataset": "mnist", "split": "test",
         "extractor": extractor}, [results.entry(metric, f"{metric}9_{extractor}", {"model": (value, None)})
                                   for metric, value in figures.items()])


def test_figures_of_both():
    both = beside.joined(record("imagenet", fid=1.0, kid=2.0), record("classifier", fid=3.0))
    assert [(figure["name"], figure["values"]["model"]) for figure in both["figures"]] == [
        ("fid9_imagenet", 1.0), ("kid9_imagenet", 2.0), ("fid9_classifier", 3.0)]
    assert both["protocol"]["extractor"] == "imagenet" and both["protocol"]["added"] == [{"extractor": "classifier"}]
    assert "fid9_classifier" in both["table"] and both["table"].count("\nfid v") == 2
    again = beside.joined(both, record("classifier", fid=4.0))
    assert [figure["values"]["model"] for figure in again["figures"]] == [1.0, 2.0, 4.0]
    assert json.loads(json.dumps(again)) == again


@pytest.mark.parametrize("name, value", (("images_seen", 128), ("weights", "raw"), ("split", "train"), ("dataset", "x")))
def test_what_does_not_belong_together(name, value):
    other = record("classifier", fid=3.0)
    other["protocol"][name] = value
    with pytest.raises(UserError, match=f"--add: the last evaluation has {name} "):
        beside.joined(record("imagenet", fid=1.0), other)


def test_the_last_evaluation(tmp_path, monkeypatch):
    run = tool.made_run(tmp_path / "run", {"model": "dcgan", "config": {}, "options": {}, "data": {}})
    monkeypatch.setattr(restore, "chosen_checkpoint", lambda run, name: types.SimpleNamespace(
        info={"images": int(name) if name.isdecimal() else 64}))
    with pytest.raises(UserError, match="has not been evaluated yet"):
        beside.last(run.path, "latest", "averaged")
    run.evaluation_file.write_text("{")
    with pytest.raises(UserError, match="evaluation.json is damaged"):
        beside.last(run.path, "latest", "averaged")
    first = record("imagenet", fid=1.0)
    results.write(first, run.evaluation_file)
    assert beside.last(run.path, "latest", "averaged") == json.loads(json.dumps(first))
    for checkpoint, weights in (("128", "averaged"), ("latest", "raw")):
        with pytest.raises(UserError, match="was after 64 images, of averaged weights, and asked is"):
            beside.last(run.path, checkpoint, weights)


@pytest.mark.parametrize("options", (("--savedmodel", "x"), ("--images", "x", "--against", "mnist"), ("--run", "a", "b")))
def test_what_it_is_for(options):
    done = tool.run_here(*options, "--add", tool="evaluate")
    assert done.returncode == 2 and "--add: is for one --run" in done.stderr
