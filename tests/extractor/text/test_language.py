"""The language that a text is in."""

import doctest

import pytest

from kgmill.extractor.text import language
from kgmill.extractor.text.language import MIN_WORDS, check_languages, foreign_language, languages_of
from kgmill.schemas.errors import ConfigError

ENGLISH = (
    "Carla Moss was born in Leiden and worked for the shipyard of Bremen until it was closed. Her brother Otto lived "
    "in the same town, where he taught mathematics at a school by the harbour and wrote two books on sailing. "
)
GERMAN = (
    "Carla Moss wurde in Leiden geboren und arbeitete auf der Werft in Bremen, bis diese geschlossen wurde. Ihr Bruder "
    "Otto lebte in derselben Stadt, wo er an einer Schule am Hafen Mathematik lehrte und zwei Bücher über das Segeln "
    "schrieb. "
)
OTHERS = {
    "fr": "Carla Moss est née à Leyde et a travaillé au chantier naval de Brême jusqu'à sa fermeture. Son frère Otto "
    "habitait la même ville, où il enseignait les mathématiques dans une école près du port.",
    "es": "Carla Moss nació en Leiden y trabajó en el astillero de Bremen hasta que lo cerraron. Su hermano Otto vivía "
    "en la misma ciudad, donde enseñaba matemáticas en una escuela junto al puerto.",
    "ru": "Карла Мосс родилась в Лейдене и работала на верфи в Бремене, пока её не закрыли. Её брат Отто жил в том же "
    "городе, где преподавал математику в школе у гавани и написал две книги о парусном спорте.",
    "zh": "卡拉莫斯出生在莱顿她在不来梅的造船厂工作直到工厂关闭"
    "她的哥哥奥托住在同一个城市在港口附近的一所学校教数学"
    "并写了两本关于航海的书",
    "ja": "カルラ・モスはライデンで生まれ、ブレーメンの造船所が閉鎖されるまでそこで働いた。"
    "兄のオットーは同じ町に住み、港の近くの学校で数学を教えていた。",
}


def test_doctests():
    """The worked example of the module holds."""
    assert doctest.testmod(language).failed == 0


@pytest.mark.parametrize("code", sorted(OTHERS))
def test_foreign_languages(code):
    """A few sentences are enough to tell a language, in any script."""
    found = foreign_language(OTHERS[code], ["en"])
    assert found is not None
    assert found.language == code
    assert found.confidence > 0.8


def test_own_language():
    """A text in a language of the model is not foreign, whichever of several that is."""
    assert foreign_language(ENGLISH, ["en"]) is None
    assert foreign_language(GERMAN, ["de", "en"]) is None
    assert foreign_language(ENGLISH, ["de"]).language == "en"


def test_short_text_is_not_judged():
    """A title, a name or a line is too little to tell a language by."""
    few = " ".join(GERMAN.split()[: MIN_WORDS - 1])
    assert foreign_language(few, ["en"]) is None
    assert foreign_language(" ".join(GERMAN.split()[: MIN_WORDS + 5]), ["en"]) is not None


def test_text_without_a_language():
    """Numbers and codes are in no language."""
    assert foreign_language("12 AB 7.5 % | QX-19 | 2024-01-03 | 88 kg | 0x1F " * 30, ["en"]) is None


def test_list_of_foreign_names():
    """Names are at home in no language plainly enough."""
    names = "Marie Curie Albert Einstein Niels Bohr Ernest Rutherford Paris Berlin Copenhagen Werner Heisenberg "
    assert (
        foreign_language(names + "Erwin Schroedinger Wolfgang Pauli Max Planck Lise Meitner Otto Hahn", ["en"]) is None
    )


@pytest.mark.parametrize(("n_english", "n_german", "is_foreign"), [(14, 6, False), (6, 14, True), (0, 20, True)])
def test_majority_decides(n_english, n_german, is_foreign):
    """A document in two languages is in that of most of it, wherever the other one stands."""
    for text in (ENGLISH * n_english + GERMAN * n_german, GERMAN * n_german + ENGLISH * n_english):
        assert (foreign_language(text, ["en"]) is not None) == is_foreign


def test_languages_of_training_data():
    """Annotated sentences say what a model reads; a few that are foreign don't, and too few say nothing."""
    assert languages_of([ENGLISH] * 40) == ("en",)
    assert languages_of([ENGLISH] * 40 + [GERMAN] * 40) == ("de", "en")
    assert languages_of([ENGLISH] * 80 + [GERMAN]) == ("en",)
    assert languages_of(["Carla Moss left ."]) == ()


def test_unknown_language():
    """A code that the detector doesn't know would make every document foreign."""
    check_languages(["en", "de", "zh"])
    with pytest.raises(ConfigError, match="unknown language 'xx'"):
        check_languages(["en", "xx"])
