"""What the tests of evaluations share: a quick classifier, and the data of shades.py."""
import pytest
import shades

from tf2gan.evaluation import image_sets


@pytest.fixture(scope="module", autouse=True)
def readers(tmp_path_factory):
    """The Readers that were used, in order."""
    with shades.quick_classifier(shades.shared_cache(tmp_path_factory)) as used:
        yield used


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return shades.shared_data(tmp_path_factory)


@pytest.fixture(scope="module")
def real(data):
    return image_sets.load_real(str(data))
