"""docs/python.md and the example: every block runs, one after the other, in fewer steps."""
import os
import re
import subprocess
import sys

import pytest
import tool


def blocks(root):
    text = (root / "docs" / "python.md").read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_page_runs_from_top_to_bottom(root, tmp_path):
    code = "\n".join(blocks(root))
    assert len(re.findall(r"steps=\d+", code)) >= 6
    shrunk = re.sub(r"steps=(\d+)", lambda found: f"steps={2 + int(found[1]) // 100}", code)
    shrunk = shrunk.replace("range(500)", "range(80)").replace("arange(500)", "arange(80)").replace("num=200", "num=20")
    shrunk = shrunk.replace("sample(100,", "sample(20,")
    # Each call of train in few and small images; whatever the page says is left as it is.
    (tmp_path / "page.py").write_text(shrunk)
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, env={**tool.environment(), "TFDS_DATA_DIR": str(
        tmp_path / "tfds")}, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "savedmodels" / "mine" / "1" / "saved_model.pb").exists()


def test_the_example_of_own_networks(root, tmp_path):
    path = root / "docs" / "examples" / "own_networks.py"
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    assert len(lines) <= 30
    done = subprocess.run([sys.executable, str(path), "4"], cwd=tmp_path, env=tool.environment(), capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "(4, 28, 28, 1)" and os.path.exists(tmp_path / "digits.png")


@pytest.mark.parametrize("name", ["train", "Run", "load", "evaluate", "register", "interpolate"])
def test_the_page_speaks_of_the_whole_face(root, name):
    assert f"tf2gan.{name}" in (root / "docs" / "python.md").read_text("utf-8")
