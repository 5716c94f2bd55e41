"""What speaks against a person, beside the word or in its form. Layers L2 and L3 ask; titles and labels do not.

A brand sign, a dose, a laboratory value, an article before an unknown word, the ending of an abstract noun: each is
true of any text in its languages, so each outweighs what lists and tagger think of a capital.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.context import UNIT
from phigate.analyzers.names.lexicon import (
    AREA,
    COUNTRY,
    GIVEN,
    MEDICAL,
    NAME,
    NUMBER_LABEL,
    PLACE,
    RARE,
    Lexicon,
    language_bits,
)
from phigate.analyzers.names.words import LETTER, LOWER, MIXED, SIGN, UPPER, Words

_COMPARED: Final = frozenset("<>≤≥±=")
_PRESSURE: Final = re.compile(r"(?:BP|PA|TA|RR)\W{0,2}\d{2,3}/\d{2,3}\b")
_BRAND_SIGNS: Final = "®™©"
_FIRST_GROUP: Final = 4  # the shortest word whose ending means something is this much longer than the ending
# "Hb: 3,7", "Latomoxef 2 g", "Vmax à 1,95 m/s": a value with a decimal, or one with a unit.
_MEASURED: Final = re.compile(
    r"\s?(?:[:=<>≤≥~]\s?|(?:at|of|a|à|=|de|di|von|van|was|is|:)\s)?[<>≤≥]?\d{1,6}(?:[.,]\d{1,3})?\s?"
    r"(?:mg|mcg|µg|μg|ug|ng|pg|g/|gr?\b(?!\w)|ml|mL|dl|l/|L/|mmol|µmol|μmol|mol|meq|mEq|ui\b|UI\b|iu\b|IU\b|U/|u/|%|‰|mm|cm|m/|kg/|pts?\b|points?\b|/\s?(?:mm|µl|μl|ul|ml|min|l)\b)"
    r"|\s?[:=<>]\s?[<>]?\d{1,5}[.,]\d|\s?[:=]?\s?\d{1,2}\s?/\s?(?:10|15|20|30|100)\b"
)
_ET_AL: Final = re.compile(r",?\s(?:et|and|und|y|e)\s(?:al\b|coll\b|cols\b|colaboradores\b|mitarbeiter)")
_CLASS: Final = re.compile(r"\s(?:[IV]{2,4}|I|V|[IV]{1,3}[ab])(?![\w.])")
_NUMERALS: Final = frozenset({"ii", "iii", "iv", "vi", "vii", "viii"})
_NUMBER_BEFORE: Final = re.compile(r"(?:%|\d-|[+±]/?-?)\Z")
# Articles that stand before things: before a name only where the language says "der Müller", "la Giulia", "o Silva".
_ARTICLES: Final = {
    word: language_bits(lang)
    for lang, words in {
        "en": "the a an this these those each every any no",
        "pt": "um uma uns umas",
        "es": "una unos unas",
        "fr": "un une les des ces cette aucun aucune plusieurs",
        "it": "un uno una gli dello degli delle nessun nessuna",
        "de": "keine kein keinen keiner ein eine einen einem einer beide beiden",
        "nl": "het een geen deze",
    }.items()
    for word in words.split()
}
_STRICT_PLACE_CUES: Final = frozenset({"in", "near", "em", "en", "aus", "within", "across", "throughout"})
# Endings of nouns that name a disease, an operation, a finding or a notion, in all languages together, folded.
_ENDINGS: Final = """
    itis ites itide osis iasis emia aemia amie uria pathy pathie patia patie logy logia logie scopy scopia scopie
    skopie graphy grafia graphie grafie gram gramm grama gramma gramme ectomy ectomia ectomie ektomie otomy otomia
    otomie stomy stomia stomie plasty plastia plastie plastik algia algie trophy trofia trophie plasia plasie genesis
    lysis lisis lyse penia penie rrhea rrea rrhoe rragia rrhage megaly megalia megalie sclerosi sklerose carcinoma
    karzinom blastoma sarcoma sarkom cytoma adenoma adenom lymphoma lymphom cele aminase transferase kinase
    tropin tropina tropine tensin globulin globuline globulina albumin cillin cilline cillina kacin kacine kacina
    zosin zosina zosine feron cyclin cycline cyclina heparin heparine globin globine globina triol triolo sterol
    tion tions sion sions ness ility ility ities ism isms ismo ismi ismus isme ology ologist ological cao coes cion
    ciones zione zioni tionen heit heiten keit keiten ung ungen schaft schaften idade idades idad edad amento imento
    amiento imiento amenti imenti mente ement ements tat taten ezza ezze istica istico istik metria metrie metry
    wert werte druck zeit stelle linie arterie arterien vene venen nerv nerven muskel gelenk gelenke knochen druse gewebe
    befund befunde wunde schmerz schmerzen punktion therapie therapien diagnose diagnosen anamnese kontrolle verlauf
    hormon hormone zellen spiegel tests antagonist antagonisten hemmer blocker losung tablette tabletten salbe insuffizienz
    stenose thrombose fraktur frakturen odem odeme katheter implantat prothese drainage sonde narbe rand grad knoten
    lappen wirbel meniskus rucken knochel bogen niere leber lunge thorax winkel seite bereich kammer klappe anlage
"""
_ENDING: Final = re.compile(
    rf"\w{{{_FIRST_GROUP - 1},}}(?:{'|'.join(sorted(set(_ENDINGS.split()), key=len, reverse=True))})\Z"
)
# Two capitals before or after a small letter, past the Mac of a surname: pNET, KiGGS, VODcasts, SxS.
_CODE_LIKE: Final = re.compile(
    r"(?!(?:Ma?c|De|Di|La|Le|Van|Von|O|D|Fitz)[A-Z])(?:[a-z]+[A-Z]|[A-Z]{2,}[a-z]|\w*[a-z][A-Z](?![a-z]))"
)


def is_code(word: str) -> bool:
    """Whether capitals stand where no name has them: the word is a test, a gene or a plural of letters."""
    # Upper case without the accented letters (JOãO, CONCEIçãO) is a name that a poor keyboard wrote.
    plain = "".join(char if char.isascii() else char.upper() for char in word)
    return len(plain) > 1 and not plain.isupper() and _CODE_LIKE.match(plain) is not None


def is_notion(folded: str) -> bool:
    """Whether the word ends like the name of a disease, an operation or a notion."""
    return _ENDING.match(folded) is not None


def is_nobody(words: Words, lexicon: Lexicon, first: int, last: int) -> bool:
    """Whether something beside the tokens [first, last], or their form, says that they are no person."""
    if _is_marked(words, first, last) or _is_class(words, first, last):
        return True
    letters = [k for k in range(first, last + 1) if words.cases[k] != SIGN]
    if all(_is_thing(words, k) for k in letters):
        return True
    if len(letters) > 1:
        return False
    return _is_thing_here(words, letters[0]) or _is_place_here(words, lexicon, letters[0])


def _is_marked(words: Words, first: int, last: int) -> bool:
    """Whether a brand sign, a value, a share or "et al." stands beside the tokens."""
    text = words.tokens.text
    start, end = words.tokens.starts[first], words.tokens.ends[last]
    if text[end : end + 1] in _BRAND_SIGNS and end < len(text):
        return True
    if _NUMBER_BEFORE.search(text, max(0, start - 3), start) or _MEASURED.match(text, end):
        return True
    return _ET_AL.match(text, end) is not None


def _is_class(words: Words, first: int, last: int) -> bool:
    """Whether one word and a Roman numeral make a class or a king: "Rutherford IV", "Killip II", "Hassan II"."""
    if first == last:
        return _CLASS.match(words.tokens.text, words.tokens.ends[last]) is not None
    return last == first + 1 and words.cases[last] == UPPER and words.folded[last] in _NUMERALS


def _is_thing(words: Words, index: int) -> bool:
    """Whether the form of the word, or the lists, say that it is nobody wherever it stands."""
    flags = words.flags[index]
    if flags & NUMBER_LABEL:
        return True
    if flags & NAME and not flags & RARE:
        return False
    case = words.cases[index]
    if case == MIXED and is_code(words.tokens.words[index]):
        return True
    return bool(flags & MEDICAL) or (case != LETTER and is_notion(words.folded[index]))


def _is_thing_here(words: Words, index: int) -> bool:
    """Whether an article before the one word, which no list of names has, makes it a thing."""
    if words.flags[index] & NAME or not index or not words.joined(index - 1):
        return False
    before = words.folded[index - 1]
    if _ARTICLES.get(before, 0) & words.bits and words.cases[index] != LOWER:
        return True
    # l'Amikacine, un'Ecografia: elided before a thing; d'Angelo is not among them.
    return before in {"'", "’"} and index > 1 and words.folded[index - 2] in {"l", "un", "dell", "all", "nell", "sull"}


def _is_place_here(words: Words, lexicon: Lexicon, index: int) -> bool:
    """Whether a preposition of place before a town or country says where and not who."""
    flags = words.flags[index]
    if not flags & (PLACE | COUNTRY | AREA) or words.cases[index] in {LOWER, UPPER, LETTER}:
        return False
    if flags & (COUNTRY | AREA) and (not flags & NAME or flags & RARE):
        return True
    before = index - 1
    if before < 0:
        return False
    if words.folded[before] in _STRICT_PLACE_CUES:
        return True
    return not flags & GIVEN and bool(words.match(before, lexicon.cues["place_cue"].get(words.folded[before], [])))


def is_measured(words: Words, first: int, last: int) -> bool:
    """Whether the tokens [first, last], which the tagger takes for a number of somebody, are a value with its unit."""
    text = words.tokens.text
    start, end = words.tokens.starts[first], words.tokens.ends[last]
    if UNIT.match(text[end : end + 24].lower()) is not None:
        return True
    return not _COMPARED.isdisjoint(text[start:end]) or _PRESSURE.match(text, start) is not None
