"""What the page says of a model, that it asks nobody, and that the runtime in it is the published one."""
import gzip
import hashlib
import json
import re

import pytest

from tf2gan.webpage import page


@pytest.fixture
def card(root):
    def read(name):
        return json.loads(next((root / "savedmodels" / name).glob("*/model_card.json")).read_text())

    return read


def model_in(text):
    return json.loads(re.search(r'<script type="application/json" id="model">(.*?)</script>', text, re.DOTALL)[1])


def test_a_translator(card):
    model = page.described(card("apple2orange"), files={})
    assert [part["label"] for part in model["translations"]] == ["apple to orange", "orange to apple"]
    assert {part["direction"] for part in model["examples"]} == {"a2b", "b2a"} and model["fixed_size"] is None
    assert page.described(card("apple2orange"), image_size=64, files={})["fixed_size"] == [64, 64]
    text = page.html(model)
    assert 'id="camera"' in text and 'id="seed"' not in text and 'id="to-read"' not in text
    assert "for research and no commercial use" in text


def test_a_model_from_noise_with_classes(card):
    text = page.html(page.described(card("cgan-mnist"), [[0.5, -1.0]], files={}))
    assert model_in(text)["num_classes"] == 10 and model_in(text)["strong"] == [[0.5, -1.0]]
    assert 'id="seed"' in text and 'id="camera"' not in text


def test_a_classifier(card):
    assert 'id="to-read"' in page.html(page.described(card("sgan-mnist"), files={}))


def test_data_without_drawn_pictures(card):
    model = page.described({**card("facades"), "data": "/home/me/maps"}, files={})
    assert not model["examples"] and [part["label"] for part in model["translations"]] == ["B to A"]


def test_names_cannot_break_out(card):
    name = '</script><script>alert(1)</script>"&'
    text = page.html(page.described({**card("facades"), "name": name, "data_license": name}, files={}))
    assert "<script>alert" not in text and model_in(text)["name"] == name


@pytest.mark.parametrize("address", (None, "/v1/models/x:predict"))
def test_the_page_asks_nobody(card, address):
    """No address of another host in what is loaded; the runtime is in the page, or is not needed."""
    text = page.html(page.described(card("facades"), files=None if address else {}, address=address))
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text) and "@import" not in text
    assert ('id="runtime-code"' in text) == (address is None)


def test_the_runtime_is_the_published_one(root):
    folder = root / "tf2gan" / "webpage" / "runtime"
    rows = re.findall(r"\| `(\S+\.gz)` \| `([0-9a-f]{64})` \|", (folder / "README.md").read_text())
    assert {file for file, _ in rows} == set(page.RUNTIME.values()) == {path.name for path in folder.glob("*.gz")}
    for file, digest in rows:
        assert hashlib.sha256(gzip.decompress((folder / file).read_bytes())).hexdigest() == digest
