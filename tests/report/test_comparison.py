"""A page that compares several runs: settings, figures, curves, samples, faults."""
import json

import pytest
import tiny
from test_report import Parsed

import tf2gan
from tf2gan.core.errors import UserError
from tf2gan.report import comparison


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of the GAN of one variable: two seeds, and another learning rate."""
    place = tmp_path_factory.mktemp("runs")
    with tiny.registered() as data:
        for name, options in (("one", {}), ("two", {"seed": 1}), ("three", {"learning_rate": 0.3})):
            tf2gan.train("tiny", data, run_dir=place / name, **options)
        yield [place / name for name in ("one", "two", "three")]


def test_what_differs_and_nothing_else(runs):
    source = comparison.render(runs)
    assert "3 runs compared" in source and all(f'<th scope="row">{run.name}</th>' in source for run in runs)
    settings = source[source.index('<section id="settings">'):source.index('<section id="figures">')]
    assert "learning_rate" in settings and "0.1" in settings and "0.3" in settings
    assert "batch_size" not in settings and "seed" not in settings and "steps" not in settings


def test_runs_of_several_seeds_differ_in_nothing(runs):
    assert "None but the seeds" in Parsed(comparison.render(runs[:2])).text


def test_curves_lie_over_each_other(runs):
    text = Parsed(comparison.render(runs)).text
    for run in runs:
        last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["loss"]
        assert f"{run.name} last {last:.4g}" in text


def test_figures_of_one_protocol_share_a_row_with_the_best_in_bold(runs):
    for run, value in zip(runs, (3.0, 1.0, 2.0)):
        protocol = "fid10_x" if run.name != "three" else "fid99_x"
        (run / "evaluation.json").write_text(json.dumps({"protocol": {}, "figures": [
            {"metric": "fid", "name": protocol, "better": "lower", "values": {"model": value}}]}))
    source = comparison.render(runs)
    rows = [row for row in source.split("</tr>") if "fid10_x" in row or "fid99_x" in row]
    assert len(rows) == 2 and "<b>1</b>" in rows[0] and "<b>3" not in rows[0] and "–" in rows[0]
    assert "<b>" not in rows[1] and rows[1].count("–") == 2
    for run in runs:
        (run / "evaluation.json").unlink()


def test_the_file(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert comparison.write(runs).name == "comparison.html"
    comparison.write(runs)  # a report may replace a report
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(UserError, match="mine.html"):
        comparison.write(runs, "mine.html")
    with pytest.raises(UserError, match="is there twice"):
        comparison.write([runs[0], runs[1], runs[0]])
    with pytest.raises(UserError, match="no such run folder"):
        comparison.write([runs[0], "nowhere"])


def test_from_python(runs, tmp_path):
    path = tf2gan.compare([tf2gan.Run(runs[0]), str(runs[1])], tmp_path / "page.html")
    assert path == tmp_path / "page.html" and "2 runs compared" in path.read_text()
    with pytest.raises(UserError, match="at least two"):
        tf2gan.compare(runs[:1], tmp_path / "other.html")


def test_names_are_as_short_as_they_can_be(tmp_path):
    assert comparison._names([tmp_path / "a" / "seed-0", tmp_path / "b" / "seed-0"]) == ["a/seed-0", "b/seed-0"]
