"""tools/report.py: where it writes a report, and what it refuses."""
import json
import pathlib

import pytest
import tool

from tf2gan.cli.parser import run_tool
from tf2gan.core.errors import UserError
from tf2gan.report import page as report_page

OLD = f"<html>\n{report_page.MARK}\nold"


@pytest.fixture(scope="module")
def main():
    return tool.main("report")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run's folder in the current one; its page, which other tests look at, takes no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report_page, "render", lambda run_dir, own: f"the page of {run_dir}")
    pathlib.Path("run").mkdir()
    record = {"model": "gan", "config": {}, "options": {}, "data": {}}
    pathlib.Path("run", "config.json").write_text(json.dumps(record))
    return pathlib.Path("run")


def test_by_default_it_lies_in_the_runs_folder(main, run, capsys):
    for before in (None, OLD, "anything"):
        if before is not None:
            (run / "report.html").write_text(before)
        main(["--run", "run"])
        assert capsys.readouterr().out == "run/report.html: 0.0 MiB\n"
        assert (run / "report.html").read_text() == "the page of run"
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "report.html"]


def test_elsewhere(main, run, capsys):
    for before, options in ((None, ()), (OLD, ()), ("mine", ("--overwrite",))):
        if before is not None:
            pathlib.Path("page.HTML").write_text(before)
        main(["--run", "run", "--output", "page.HTML", *options])
        assert capsys.readouterr().out == "page.HTML: 0.0 MiB\n"
        assert pathlib.Path("page.HTML").read_text() == "the page of run"
    assert [path.name for path in run.iterdir()] == ["config.json"]


def test_a_failure_leaves_the_old_page(run, monkeypatch):
    (run / "report.html").write_text(OLD)
    before = tool.contents(run)
    monkeypatch.setattr(report_page, "render", lambda run_dir, own: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report_page.write(run)
    assert tool.contents(run) == before


@pytest.mark.parametrize("arguments, words", [
    ("--run nowhere", "nowhere: no such run folder"),
    ("--run .", "config.json"),
    ("", "--run"),
    ("--run run --output nowhere/a.html", "nowhere/a.html: no such folder: nowhere"),
    ("--run run --output folder.html", "folder.html: a folder has that name"),
    ("--run run --output page.pdf", "page.pdf .html"),
    ("--run run --output mine.html", "mine.html --overwrite"),
    ("--run run --output late.html", "late.html --overwrite"),
    ("--run run --output=", "--output: is empty"),
    ("--run run --output /proc/a.html", "/proc"),
    ("--run run --outptu a.html", "--outptu --output")])
def test_refused(main, run, monkeypatch, capsys, arguments, words):
    pathlib.Path("folder.html").mkdir()
    pathlib.Path("mine.html").write_text("<html>")
    pathlib.Path("late.html").write_text("<html>" + 1000 * " " + OLD)  # no report: it only speaks of one
    monkeypatch.setattr(report_page, "render", lambda run_dir, own: pytest.fail("has begun to work"))
    before = tool.contents(pathlib.Path.cwd())
    with pytest.raises(SystemExit) as end:
        run_tool(lambda: main(arguments.split()), "report.py")
    out, err = capsys.readouterr()
    assert end.value.code == 2 and out == "" and len(err.splitlines()) == 1
    for word in words.split():
        assert word in err
    assert tool.contents(pathlib.Path.cwd()) == before


def test_a_run_that_cannot_be_drawn_from_is_told_in_one_line(main, run, capsys, monkeypatch):
    def render(run_dir, own):
        raise UserError("a checkpoint cannot be read")

    monkeypatch.setattr(report_page, "render", render)
    with pytest.raises(SystemExit) as end:
        run_tool(lambda: main(["--run", "run"]), "report.py")
    assert end.value.code == 2 and capsys.readouterr().err.endswith(": a checkpoint cannot be read\n")
    assert not (run / "report.html").exists()
