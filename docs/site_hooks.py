"""For mkdocs: README, CONTRIBUTING and CHANGELOG are pages of the site, too; and no page asks another host."""
import pathlib
import re

from mkdocs.structure.files import File

_ROOT = pathlib.Path(__file__).parent.parent
_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}


def on_files(files, config):
    """Adds these pages, with links as seen from docs/."""
    for name, page in _PAGES.items():
        text = re.sub(r"\]\(docs/", "](", (_ROOT / name).read_text("utf-8"))
        for other, target in _PAGES.items():
            text = text.replace(f"]({other}", f"]({target}")
        files.append(File.generated(config, page, content=text))
    return files


def on_post_page(output, page, config):
    """The theme loads what its search needs from disk from another host; here it lies beside the pages."""
    return re.sub(r"https://[\w./-]*iframe-worker[\w./-]*", "assets/from-disk.js", output)
