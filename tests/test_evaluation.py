"""tools/evaluate.py on a run of the tool: figures recomputed by hand, anchors, and what an export makes of them."""
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tool

from tf2gan import evaluation, export, session
from tf2gan.data import load, pipeline
from tf2gan.errors import UserError


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A copy: evaluating writes into the run's folder."""
    folder, _ = tool.straight_run(tmp_path_factory)
    return shutil.copytree(folder, tmp_path_factory.mktemp("evaluated") / "run")


@pytest.fixture(scope="module")
def evaluated(run_dir):
    """The finished process of tools/evaluate.py on the run."""
    return subprocess.run([sys.executable, "tools/evaluate.py", "--run", str(run_dir)], cwd=tool.ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                          env=tool.environment())


def test_figures_are_those_of_the_averaged_generators_on_the_test_split(run_dir, evaluated):
    assert (evaluated.returncode, evaluated.stderr) == (0, "")
    result = json.loads((run_dir / "evaluation.json").read_text())
    gan, record = session.load_gan(run_dir)
    images = pipeline.unpaired_examples(load.load(record["config"]["dataset"], gan.splits), gan.config, 3)
    for direction, back, source in (("a2b", "b2a", "x"), ("b2a", "a2b", "y")):
        real = images[source].numpy().astype(np.float64)
        cycled = gan.generate(gan.generate(images[source], direction), back).numpy()
        same = gan.generate(images[source], back).numpy()
        assert result[direction]["cycle_l1"]["trained"] == pytest.approx(np.abs(cycled - real).mean() / 2, abs=1e-6)
        assert result[direction]["identity_l1"]["trained"] == pytest.approx(np.abs(same - real).mean() / 2, abs=1e-6)
        distances = result[direction]["color_distance"]
        assert set(distances) == {"trained", "untrained", "input", "real_train"}
        assert len(set(distances.values())) == 4 and all(0 < value < 1 for value in distances.values())
    # From A to B and from B to A the untouched input is equally far from its target.
    assert result["a2b"]["color_distance"]["input"] == result["b2a"]["color_distance"]["input"]
    assert result["protocol"]["num"] == {"testA": 3, "testB": 3}
    assert result["protocol"]["images_seen"] == tool.STEPS * tool.BATCH_SIZE
    assert f"{result['a2b']['cycle_l1']['trained']:.4f}" in evaluated.stdout


def test_the_untrained_anchor_is_the_network_that_the_run_began_with(run_dir, tmp_path_factory, tmp_path):
    new = tmp_path / "new"
    process = tool.run(*tool.EVERYTHING, "--dataset", str(tool.shared_images(tmp_path_factory)), "--steps", "1",
                       "--learning-rate", "0", "--ema-decay", "none", "--run-dir", str(new))
    assert process.returncode == 0, process.stderr
    untouched = evaluation.evaluate(new)
    trained = evaluation.evaluate(run_dir)
    for figure in ("cycle_l1", "identity_l1"):
        assert untouched["a2b"][figure]["trained"] == pytest.approx(trained["a2b"][figure]["untrained"], abs=1e-6)
        assert trained["a2b"][figure]["trained"] != trained["a2b"][figure]["untrained"]


def test_the_model_card_has_the_figures_of_these_weights_only(run_dir, evaluated, tmp_path):
    gan, record = session.load_gan(run_dir)
    card = json.loads((export.export(gan, tmp_path / "with", card=record) / "model_card.json").read_text())
    assert card["evaluation"] == json.loads((run_dir / "evaluation.json").read_text())
    stale = json.loads((run_dir / "evaluation.json").read_text())
    stale["protocol"]["images_seen"] += 2
    (run_dir / "evaluation.json").write_text(json.dumps(stale))
    assert "evaluation" not in session.load_gan(run_dir)[1]


def test_the_card_names_the_license_that_it_is_given_and_no_folder_of_the_trainer(run_dir, tmp_path):
    gan, record = session.load_gan(run_dir)
    folder = export.export(gan, tmp_path / "model", card={**record, "data_license": "CC0"})
    text = (folder / "README.md").read_text()
    assert "License of the data: CC0" in text
    assert "--run-dir" in record["command"] and "--run-dir" not in text
    assert str(run_dir) not in text


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no config.json"):
        evaluation.evaluate(tmp_path)
