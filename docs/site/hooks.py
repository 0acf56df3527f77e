"""What the site has besides docs/: README.md as its first page, CHANGELOG.md, and the files that its pages link to."""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]+)")
_CELL_CODE = re.compile(r"`[^`\n]*`")
_LANGUAGES = {".toml": "toml", ".rq": "sparql", ".json": "json"}


def on_files(files: Files, config: Any) -> Files:
    """Adds README.md and CHANGELOG.md, and each file outside docs/ that a page links to, as pages."""
    wanted = {"README.md", "CHANGELOG.md"} | {
        link for file in files.documentation_pages() for link in _outside(f"docs/{file.src_uri}", file.content_string)
    }
    done: set[str] = set()
    while wanted - done:
        name = min(wanted - done)
        done.add(name)
        text = (ROOT / name).read_text(encoding="utf-8")
        if name.endswith(".md"):
            wanted.update(_outside(name, text))
            content = _LINK.sub(lambda link, name=name: _on_site(link[1], name), text)
        else:
            content = f"# {name}\n\n```{_LANGUAGES.get(Path(name).suffix, 'text')}\n{text}```\n"
        files.append(File.generated(config, page_of(name), content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to files outside docs/ lead to their pages; `a\\|b` in a table's cell is code without the backslash."""
    markdown = "\n".join(
        _CELL_CODE.sub(lambda code: code[0].replace(r"\|", "|"), line) if line.startswith("|") else line
        for line in markdown.split("\n")
    )
    if page.file.generated_by:
        return markdown
    return _LINK.sub(lambda link: _on_site(link[1], f"docs/{page.file.src_uri}"), markdown)


def page_of(name: str) -> str:
    """Where a file of the repository is on the site."""
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    if name in ("README.md", "CHANGELOG.md"):
        return {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}[name]
    return f"files/{name}" if name.endswith(".md") else f"files/{name}.md"


def _outside(name: str, text: str) -> set[str]:
    found = {normpath(f"{dirname(name)}/{link}") if dirname(name) else normpath(link) for link in _LINK.findall(text)}
    return {one for one in found if not one.startswith("docs/") and (ROOT / one).is_file()}


def _on_site(link: str, name: str) -> str:
    """The same link on the site; one that leads nowhere stays, and the build tells of it."""
    target = normpath(f"{dirname(name)}/{link}") if dirname(name) else normpath(link)
    if not (ROOT / target).is_file():
        return link
    return relpath(page_of(target), dirname(page_of(name)) or ".")
