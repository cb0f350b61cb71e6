"""tf2gan doctor: a screen that can be pasted."""
import tool

from tf2gan._version import __version__


def test_one_screen(monkeypatch, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "downloads").mkdir()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    done = tool.run_here("--seconds", "0.01", tool="doctor")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert f"tf2gan {__version__}" in lines["versions"] and len(lines) <= 20
    assert "GFLOP/s in float32" in lines["convolutions"] and "GFLOP/s in bfloat16" in lines["convolutions"]
    assert lines["data"].strip() == f"{tmp_path} (TFDS_DATA_DIR): mnist"
    assert lines["GPU"].strip()


def test_without_data_and_speed(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    done = tool.run_here("--seconds", "0", tool="doctor")
    assert "is not there yet" in done.stdout and "GFLOP" not in done.stdout


def test_bad_seconds():
    for value in ("-1", "nan"):
        done = tool.run_here("--seconds", value, tool="doctor")
        assert done.returncode == 2 and done.stderr.count("\n") == 1
