"""Number words of the seven languages, folded, as people say telephone numbers and identifiers figure by figure."""

from __future__ import annotations

from typing import Final

_UNITS: Final = (
    "zero one two three four five six seven eight nine",
    "zero um dois tres quatro cinco seis sete oito nove",
    "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "zero un deux trois quatre cinq six sept huit neuf",
    "null eins zwei drei vier funf sechs sieben acht neun",
    "zero uno due tre quattro cinque sei sette otto nove",
    "nul een twee drie vier vijf zes zeven acht negen",
)
_TEENS: Final = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "dez onze doze treze quatorze quinze dezesseis dezessete dezoito dezenove",
    "diez once doce trece catorce quince dieciseis diecisiete dieciocho diecinueve",
    "dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf",
    "zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn",
    "dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove",
    "tien elf twaalf dertien veertien vijftien zestien zeventien achttien negentien",
)
_TENS_WORDS: Final = (
    "twenty thirty forty fifty sixty seventy eighty ninety",
    "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "vingt trente quarante cinquante soixante septante octante nonante",
    "zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig",
    "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
    "twintig dertig veertig vijftig zestig zeventig tachtig negentig",
)

# Word -> figures. "Oh" and "meia" are what people say for zero and six on the telephone.
NUMBERS: Final[dict[str, str]] = {
    **{word: str(n) for words in _UNITS for n, word in enumerate(words.split())},
    **{word: str(n) for words in _TEENS for n, word in enumerate(words.split(), 10)},
    "oh": "0",
    "meia": "6",
    "zwo": "2",
    "uma": "1",
    "duas": "2",
}
# Words after which a unit is added: thirty-four, trinta e quatro.
TENS: Final[dict[str, str]] = {word: str(n * 10) for words in _TENS_WORDS for n, word in enumerate(words.split(), 2)}
REPEATS: Final[dict[str, int]] = {
    "double": 2,
    "triple": 3,
    "doble": 2,
    "duplo": 2,
    "doppel": 2,
    "doppio": 2,
    "dubbel": 2,
}
