"""tools/evaluate.py: what it prints and writes, what a model card makes of it, and what it refuses before any work."""
import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import types

import pytest
import shades
import tool

from tf2gan.cli.parser import run_tool
from tf2gan.core import progress
from tf2gan.data import load
from tf2gan.evaluation import over_runs
from tf2gan.evaluation.evaluate import evaluate_run
from tf2gan.export import model_card
from tf2gan.runs import run_folder
from tf2gan.runs.restore import load_gan


@pytest.fixture(scope="module", autouse=True)
def readers(tmp_path_factory):
    with shades.quick_classifier(shades.shared_cache(tmp_path_factory)) as used:
        yield used


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return shades.shared_data(tmp_path_factory)


@pytest.fixture(scope="module")
def main():
    return tool.main("evaluate")


@pytest.fixture(scope="module")
def evaluate(main):
    """The tool in this process: returncode, stdout and stderr."""
    def run(*args):
        out, err, argv = io.StringIO(), io.StringIO(), sys.argv
        sys.argv = ["tools/evaluate.py", *map(str, args)]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                run_tool(main, "evaluate.py")
        except SystemExit as end:
            return types.SimpleNamespace(returncode=end.code or 0, stdout=out.getvalue(), stderr=err.getvalue())
        finally:
            sys.argv = argv

    return run


@pytest.fixture(scope="module")
def evaluated(evaluate, tmp_path_factory):
    """A copy of a run that the tool has measured: `run`, `done`, `result`, and `json`, another file of these."""
    folder = tmp_path_factory.mktemp("evaluated")
    run = shutil.copytree(shades.cgan_run(tmp_path_factory), folder / "run")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(progress, "SECONDS", 0.0)  # between two lines
        done = evaluate("--run", run, "--num", 40, "--seed", 5, "--json", folder / "figures.json")
    assert done.returncode == 0, done.stderr
    return types.SimpleNamespace(run=run, done=done, result=json.loads((run / "evaluation.json").read_text()),
                                 json=folder / "figures.json")


def test_the_table_and_the_protocol_are_printed(evaluated):
    table, protocol = evaluated.done.stdout.split("\n\nprotocol:\n")
    assert table == evaluated.result["table"]
    printed = dict(line[2:].split(": ", 1) for line in protocol.splitlines())
    assert printed.keys() == evaluated.result["protocol"].keys()
    assert (printed["dataset"], printed["num_fake"], printed["seed"]) == ("shades", "40", "5")
    assert json.loads(printed["kid"]) == evaluated.result["protocol"]["kid"]
    for figure in evaluated.result["figures"]:
        assert f"  {figure['name']}\n" in evaluated.done.stdout


def test_progress_is_plain_lines_beside_the_results(evaluated):
    lines = evaluated.done.stderr.splitlines()
    reads = "class_probabilities, features, probabilities, similarity"
    assert f"samples, {reads}: 40 of 40 images" in lines
    assert f"samples of the untrained network, {reads}: 40 of 40 images" in lines
    assert "\r" not in evaluated.done.stderr and "\x1b" not in evaluated.done.stderr
    assert not [line for line in lines if not re.search(r"\d", line)], "nothing but progress"


def test_the_record_is_written_beside_the_run_and_where_it_is_asked_for(evaluated):
    assert evaluated.json.read_text() == (evaluated.run / "evaluation.json").read_text()
    assert evaluated.result.keys() == {"protocol", "figures", "classes", "table"}
    expected = evaluate_run(evaluated.run, shades.settings(num=40, seed=5))
    assert json.loads(json.dumps(expected)) == evaluated.result


def test_the_card_of_an_export_has_the_figures_of_these_weights(evaluated, tmp_path):
    gan, record = load_gan(evaluated.run)
    signatures = {"latents": {"inputs": {}, "outputs": {}}}
    model_card.write(tmp_path, gan, "model", 1, signatures, record)
    assert json.loads((tmp_path / "model_card.json").read_text())["evaluation"] == evaluated.result
    text = (tmp_path / "README.md").read_text()
    assert f"By `tools/evaluate.py`:\n\n```\n{evaluated.result['table']}\n```" in text
    assert json.dumps(evaluated.result["protocol"], indent=2) in text
    assert str(evaluated.run) not in text and str(gan.config.dataset) not in text
    for other in (load_gan(evaluated.run, weights="raw"),
                  load_gan(evaluated.run, str(shades.STEPS * shades.BATCH_SIZE))):
        assert "evaluation" not in other[1]


def test_other_weights_and_another_checkpoint(evaluate, evaluated, tmp_path):
    run = shutil.copytree(evaluated.run, tmp_path / "run")
    done = evaluate("--run", run, "--weights", "raw", "--checkpoint", shades.STEPS * shades.BATCH_SIZE, "--metrics",
                    "ms-ssim", "--num", 8, "--split", "train")
    assert done.returncode == 0, done.stderr
    result = json.loads((run / "evaluation.json").read_text())
    assert result["figures"][0]["name"] == "ms_ssim_8_shades-train_raw" and len(result["figures"]) == 1
    assert result["protocol"]["images_seen"] == shades.STEPS * shades.BATCH_SIZE


def test_several_runs(evaluate, evaluated, tmp_path):
    """Each as by itself, then what they say together."""
    names = [shutil.copytree(evaluated.run, tmp_path / name) for name in ("a", "b")]
    arguments = ("--metrics", "ms-ssim", "--num", "8")
    alone = [evaluate("--run", name, *arguments, "--seed", 1) for name in names[:1]]
    expected = json.loads((names[0] / "evaluation.json").read_text())
    other, _ = load_gan(names[1])
    shades.shake([other.average], 0.1)
    other.images_seen.assign_add(shades.BATCH_SIZE)
    run_folder.Run(names[1]).save(other, {"step": shades.STEPS + 2, "replicas": 1})
    done = evaluate("--run", *names, *arguments, "--seed", 1, "--json", tmp_path / "figures.json")
    assert alone[0].returncode == done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "figures.json").read_text())
    assert [record.pop("run") for record in result["runs"]] == list(map(str, names))
    assert result["runs"] == [json.loads((name / "evaluation.json").read_text()) for name in names]
    assert result["runs"][0] == expected
    values = [record["figures"][0]["values"]["model"] for record in result["runs"]]
    assert values[0] != values[1]
    assert result["summary"] == json.loads(json.dumps(over_runs.summary(result["runs"])))
    assert result["summary"]["figures"][0]["values"]["model"]["mean"] == pytest.approx(sum(values) / 2)
    first, second, rest = (done.stdout.index(text) for text in (
        f"{names[0]}:\n{expected['table']}", f"{names[1]}:\n{result['runs'][1]['table']}",
        f"\n{result['summary']['table']}\n"))
    assert first < second < rest


def test_an_export(evaluate, evaluated, data, tmp_path_factory, tmp_path):
    folder = shades.gan_export(tmp_path_factory)
    before = tool.contents(folder.parent)
    done = evaluate("--savedmodel", folder.parent, "--against", data, "--metrics", "fid", "--num", "20",
                    "--json", tmp_path / "figures.json")
    assert done.returncode == 0, done.stderr
    assert "fid20_shades-test_" in done.stdout
    result = json.loads((tmp_path / "figures.json").read_text())
    assert result["protocol"]["source"] == f"export {folder.parent.name}, version 1"
    assert tool.contents(folder.parent) == before


def test_folders_at_a_size_with_nearest_pictures(evaluate, data, tmp_path):
    done = evaluate("--images", data / "test", "--against", data, "--image-size", "12x20", "--metrics", "ms-ssim",
                    "--nearest", tmp_path, "--json", tmp_path / "figures.json", "--num", "9")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "figures.json").read_text())
    assert result["protocol"]["image_shape"] == [12, 20, 1] and result["protocol"]["num_fake"] == 9
    assert "mean distance to the nearest training image, in pixels:" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"figures.json", "nearest_pixels.png"}
    square = evaluate("--images", data / "test", "--against", data, "--image-size", "12", "--metrics", "ms-ssim")
    assert "image_shape: [12, 12, 1]" in square.stdout


def test_a_broken_image_is_told_or_left_out(evaluate, data, tmp_path):
    folder = shutil.copytree(data / "test", tmp_path / "samples")
    (folder / "dark" / "0.png").write_bytes(b"\x89PNG nothing")
    arguments = ("--images", folder, "--against", data, "--metrics", "ms-ssim")
    done = evaluate(*arguments)
    assert done.returncode == 2 and "--skip-unreadable goes on without them" in done.stderr
    done = evaluate(*arguments, "--skip-unreadable")
    assert done.returncode == 0 and "num_fake: 21" in done.stdout
    assert f"skipped {folder / 'dark' / '0.png'}" in done.stderr


def test_as_a_process_of_its_own(data):
    """Nothing but the tool's own words, on both streams."""
    done = subprocess.run([sys.executable, "tools/evaluate.py", "--images", str(data / "test"), "--against", str(data),
                           "--metrics", "ms-ssim"], cwd=tool.ROOT, env=tool.environment(), capture_output=True,
                          text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("ms_ssim v")
    assert all(re.fullmatch(r"(test|shades (train|test)), similarity: \d+ of \d+ images.*", line)
               for line in done.stderr.splitlines()), done.stderr


# What is refused: with one line, before any work, and without a file.

@pytest.fixture
def refusal(evaluate, monkeypatch, evaluated):
    """The one line for arguments that cannot be."""
    def refused(*args, works=False):
        before = tool.contents(evaluated.run)
        with monkeypatch.context() as patched:
            if not works:
                patched.setattr(load, "load", lambda *args, **kwargs: pytest.fail("has begun to work"))
                patched.setattr(run_folder.Run, "restore", lambda *args: pytest.fail("has begun to work"))
            done = evaluate(*args)
        assert done.returncode == 2 and not done.stdout
        assert tool.contents(evaluated.run) == before
        (line,) = done.stderr.splitlines()
        assert line.startswith("evaluate.py: ")
        return line[len("evaluate.py: "):]

    return refused


@pytest.mark.parametrize("args, words", [
    ([], "give one of --run, --savedmodel and --images"),
    (["--run", "{run}", "--images", "{data}"], "give one of --run, --savedmodel and --images"),
    (["--run", "{run}", "--savedmodel", "m"], "give one of --run, --savedmodel and --images"),
    (["--images", "{data}"], "--images: --against is needed: a data set or a folder of real images"),
    (["--images", "{data}/no", "--against", "{data}"], "--images {data}/no: no such folder"),
    (["--run", "{run}", "--image-size", "16"], "--image-size is for --images only"),
    (["--run", "{run}", "--skip-unreadable"], "--skip-unreadable is for --images only"),
    (["--images", "{data}", "--against", "{data}", "--checkpoint", "best"], "--checkpoint is for --run only"),
    (["--savedmodel", "m", "--weights", "raw"], "--weights is for --run only"),
    (["--images", "{data}", "--against", "{data}", "--image-size", "16x"],
     "--image-size 16x: must be N or HEIGHTxWIDTH, such as 128 or 96x160"),
    (["--images", "{data}", "--against", "{data}", "--image-size", "0"], "--image-size 0: must be N or HEIGHTxWIDTH, "
     "such as 128 or 96x160"),
    (["--run", "{run}", "--num", "1"], "--num 1: must be at least 2"),
    (["--run", "{run}", "--num", "0"], "--num 0: must be at least 2"),
    (["--run", "{run}", "--json", "{run}/no/x.json"], "--json {run}/no/x.json: no such folder"),
    (["--run", "{run}", "--json", "{run}"], "--json {run}: is a folder; needed: a file's name"),
    (["--run", "{run}", "--nearest", "{run}/config.json"], "cannot write to {run}/config.json: {run}/config.json is not a "
     "folder"),
    (["--run", "{run}/no"], "{run}/no: no such run folder"),
    (["--run", "{data}"], "{data}: not a run folder: it has no config.json"),
    (["--savedmodel", "{data}/no"], "{data}/no does not exist; needed: the folder of a SavedModel or of its versions"),
    (["--run", "{run}", "--metrics", ","], "--metrics: needed: one or more of fid,kid,is,pr,dc,swd,ms-ssim,classes,"
     "accuracy, with commas between"),
    (["--run"], "--run: needed: the folder of a run, or of several"),
    (["--run", "{run}", "{run}/../run"], "--run {run}/../run: is there twice; an interval over runs needs different "
     "ones"),
    (["--run", "{run}", "{run}/no"], "{run}/no: no such run folder"),
    (["--run", "{run}", "{run}2", "--nearest", "{run}"], "--nearest: is for one --run, whose pictures the next one's "
     "would replace")], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_input(refusal, evaluated, data, args, words):
    def filled(text):
        return text.replace("{run}", str(evaluated.run)).replace("{data}", str(data))

    assert refusal(*map(filled, args)) == filled(words)


@pytest.mark.parametrize("args, words", [
    (["--metrics", "fid,fdi"], "unknown metric 'fdi': did you mean 'fid'"),
    (["--extractor", "clasifier"], "unknown extractor 'clasifier': did you mean 'classifier'"),
    (["--extractor", "savedmodel:/nowhere"], "/nowhere does not exist"),
    (["--weights", "averagd"], "did you mean averaged"),
    (["--checkpoint", "bets"], "--checkpoint bets: the run "),
    (["--split", "trian"], "--split trian: "),
    (["--nmu", "9"], "unknown argument --nmu: did you mean --num")], ids=lambda value: value[-1] if value else "")
def test_what_is_nearly_right(refusal, evaluated, args, words):
    message = refusal("--run", evaluated.run, *args, works=args[0] in ("--checkpoint", "--split"))
    assert words in message
    ends = {"--checkpoint": "possible: latest, 8, 12", "--split": "has train, test"}
    assert message.endswith(ends.get(args[0], ""))


def test_figures_that_cannot_be_had_write_nothing(refusal, evaluated):
    message = refusal("--run", evaluated.run, "--num", "9", "--metrics", "is", works=True)
    assert message == "--metrics is: needs at least 10 images, samples has 9"
