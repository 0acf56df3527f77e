"""Names of the documents' files: unique over all sources, and stable from run to run."""

from kgmill.pipelines.sources.find import find, find_files
from kgmill.schemas.config import SourceConfig


def names(*sources, **settings):
    return [file.name for file in find_files([str(source) for source in sources], SourceConfig(**settings))]


def test_names_are_unique_over_sources(tmp_path, corpus):
    """A file whose name an earlier source has gets the folder of its source in front, and more where that is taken."""
    corpus(tmp_path, "a/news/report.txt", "b/news/report.txt", "b/news/other.txt", "c/report.txt", "d/news/report.txt")
    folders = [tmp_path / name for name in ("a/news", "b/news", "c", "d/news")]
    wanted = ["report.txt", "other.txt", "news/report.txt", "c/report.txt", "d/news/report.txt"]
    assert names(*folders) == wanted
    assert [names(*folders[:n]) for n in (1, 2)] == [wanted[:1], wanted[:3]]


def test_files_of_a_shell_pattern_have_names_of_their_own(tmp_path, corpus):
    """Files that are given one by one are told apart by their folders."""
    corpus(tmp_path, "a/text.txt", "b/text.txt", "b/x/text.txt")
    paths = [tmp_path / name for name in ("a/text.txt", "b/text.txt", "b/x/text.txt")]
    assert names(*paths) == ["text.txt", "b/text.txt", "x/text.txt"]


def test_file_of_two_sources_is_read_once(tmp_path, corpus):
    """What a folder has and a second source names again is one file."""
    corpus(tmp_path, "a/b.txt", "a/x/c.txt")
    (tmp_path / "again").symlink_to("a")
    assert names(tmp_path / "a/x", tmp_path / "a", tmp_path / "again", f"{tmp_path}/a/*.txt") == ["c.txt", "b.txt"]


def test_names_begin_at_the_folder_by_a_setting(tmp_path, corpus):
    """With the source's folder in front a name depends on no other source."""
    corpus(tmp_path, "2023/report.txt", "2024/report.txt")
    folders = [tmp_path / "2024", tmp_path / "2023"]
    assert names(*folders, id_prefix="source") == ["2024/report.txt", "2023/report.txt"]
    assert names(folders[1], id_prefix="source") == ["2023/report.txt"]


def test_known_names_stay(tmp_path, corpus):
    """A file that an earlier run named keeps that name; a new one gets none that another file had."""
    corpus(tmp_path, "mon/news.txt", "tue/news.txt")
    known = find([str(tmp_path / "mon")]).origins
    assert known == {"news.txt": f"{tmp_path}/mon/news.txt"}
    found = find([str(tmp_path / "tue"), str(tmp_path / "mon")], known=known)
    assert [file.name for file in found.files] == ["tue/news.txt", "news.txt"]
    assert [file.name for file in find([str(tmp_path)], known=known).files] == ["news.txt", "tue/news.txt"]
