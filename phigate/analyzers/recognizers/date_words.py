"""Words of dates and ages in seven languages, folded."""

from __future__ import annotations

from typing import Final

from phigate.analyzers.recognizers.spec import words_of

_MONTHS: Final = """
january jan enero ene janeiro janvier janv gennaio gen januar janner jaenner jan januari
february feb fev febrero fevereiro fevrier fevr febbraio februar feber februari febr
march mar marzo marco mars marz maerz mrz maart mrt
april apr abril abr avril avr aprile
may mayo maio mai maggio mag mei
june jun junio junho juin giugno giu juni
july jul julio julho juillet juil luglio lug juli
august aug agosto ago aout augustus
september sep sept septiembre setiembre set setembro septembre settembre sett
october oct octubre outubro out octobre ottobre ott oktober okt
november nov noviembre novembro novembre
december dec diciembre dic dezembro dez decembre dicembre dezember
"""
MONTHS: Final[dict[str, int]] = {
    word: n for n, line in enumerate(_MONTHS.strip().splitlines(), 1) for word in line.split()
}
# Months that are also ordinary words: they need a day or a year beside them, or a preposition of time.
AMBIGUOUS_MONTHS: Final = frozenset({"may", "mar", "march", "mai", "mars", "set", "out", "ago", "gen", "mag", "dic", "ene", "dec", "mei", "abr", "jan", "jun", "juni", "juli", "august"})  # fmt: skip
MONTH_PREPOSITIONS: Final = frozenset(
    words_of(
        """
        in since until till by from of during early late mid last next this em desde ate de no in en hasta
        desde del depuis en jusqu jusque fin debut mi im seit bis anfang ende mitte vom ab dal a nel da fino
        di inizio fine sinds tot vanaf begin eind medio principios finales mediados inicio final meados
        comienzos
        """
    )
)
WEEKDAYS: Final = frozenset(
    words_of(
        """
        monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
        segunda terca quarta quinta sexta sabado domingo lunes martes miercoles jueves viernes lundi mardi
        mercredi jeudi vendredi samedi dimanche montag dienstag mittwoch donnerstag freitag samstag
        sonnabend sonntag lunedi martedi mercoledi giovedi venerdi sabato domenica maandag dinsdag woensdag
        donderdag vrijdag zaterdag zondag
        """
    )
)
# Words that stand between the parts of a date.
DATE_JOINERS: Final = r"(?:of|the|de|do|da|del|di|du|des|der|den|van|le|la|el)"
SEASONS: Final = frozenset(
    words_of(
        """
        spring summer fall autumn winter verao inverno outono primavera verano invierno otono ete hiver automne
        printemps sommer herbst fruhjahr fruhling estate autunno zomer herfst lente voorjaar najaar
        """
    )
)
# Nouns that belong to the year after them: "ano de 2019", "spring 2020".
YEAR_NOUNS: Final = SEASONS | {"ano", "anos", "year", "annee", "anno", "jahr", "jahre", "jaar"}
YEAR_CUES: Final = (
    SEASONS
    | YEAR_NOUNS
    | frozenset(
        words_of(
            """
        in since until from during around circa early late mid before after of em desde ate de depois antes en
        hasta despues depuis avant apres fin debut im seit bis anfang ende mitte vor nach nel dal del fino prima
        dopo sinds tot vanaf begin eind voor na dans between entre zwischen tra tussen and
        """
        )
    )
)
# English days as they are said after a month.
ORDINAL_DAYS: Final = frozenset(
    words_of(
        """
        first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
        fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth
        """
    )
)
DECADE_DAY_WORDS: Final[dict[str, int]] = {
    word: n
    for n, group in enumerate(
        (
            "first primeiro primero premier ersten erster primo eerste um uno un",
            "second dois dos deux zweiten zweiter due tweede",
            "third tres tres trois dritten dritter tre derde",
            "fourth quatro cuatro quatre vierten vierter quattro vierde",
            "fifth cinco cinco cinq funften funfter cinque vijfde",
            "sixth seis seis six sechsten sechster sei zesde",
            "seventh sete siete sept siebten siebter sette zevende",
            "eighth oito ocho huit achten achter otto achtste",
            "ninth nove nueve neuf neunten neunter nove negende",
            "tenth dez diez dix zehnten zehnter dieci tiende",
            "eleventh onze once onze elften elfter undici elfde",
            "twelfth doze doce douze zwolften zwolfter dodici twaalfde",
            "thirteenth treze trece treize dreizehnten tredici dertiende",
            "fourteenth quatorze catorce quatorze vierzehnten quattordici veertiende",
            "fifteenth quinze quince quinze funfzehnten quindici vijftiende",
            "sixteenth dezesseis dieciseis seize sechzehnten sedici zestiende",
            "seventeenth dezessete diecisiete dixsept siebzehnten diciassette zeventiende",
            "eighteenth dezoito dieciocho dixhuit achtzehnten diciotto achttiende",
            "nineteenth dezenove diecinueve dixneuf neunzehnten diciannove negentiende",
            "twentieth vinte veinte vingt zwanzigsten venti twintigste",
            "twentyfirst veintiuno einundzwanzigsten ventuno",
            "twentysecond veintidos zweiundzwanzigsten ventidue",
            "twentythird veintitres dreiundzwanzigsten ventitre",
            "twentyfourth veinticuatro vierundzwanzigsten ventiquattro",
            "twentyfifth veinticinco funfundzwanzigsten venticinque",
            "twentysixth veintiseis sechsundzwanzigsten ventisei",
            "twentyseventh veintisiete siebenundzwanzigsten ventisette",
            "twentyeighth veintiocho achtundzwanzigsten ventotto",
            "twentyninth veintinueve neunundzwanzigsten ventinove",
            "thirtieth trinta treinta trente dreissigsten trenta dertigste",
            "thirtyfirst treintaiuno einunddreissigsten trentuno",
        ),
        1,
    )
    for word in group.split()
}
_NUMBER_WORDS: Final = """
one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty thirty forty fourty fifty sixty seventy eighty ninety hundred
um uma dois duas tres quatro cinco seis sete oito nove dez onze doze treze quatorze catorze quinze dezesseis dezasseis dezessete
dezassete dezoito dezenove dezanove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem
uno una dos cuatro siete ocho nueve diez once doce trece quince dieciseis diecisiete dieciocho diecinueve veinte veintiuno veintidos
veintitres veinticuatro veinticinco veintiseis veintisiete veintiocho veintinueve treinta cuarenta cincuenta sesenta ochenta noventa cien
deux trois quatre cinq sept huit neuf dix onze douze treize quatorze quinze seize vingt trente quarante cinquante soixante septante
quatre vingts octante nonante cent
ein eins eine einem zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn
zwanzig dreissig dreißig vierzig funfzig sechzig siebzig achtzig neunzig hundert
due tre quattro cinque sei sette otto dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove venti
trenta quaranta cinquanta sessanta settanta ottanta cento
een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien zeventien achttien negentien twintig
dertig veertig vijftig zestig zeventig tachtig negentig honderd
"""
NUMBER_WORDS: Final = frozenset(_NUMBER_WORDS.split())
# "fünfundvierzig", "achtenzestig", "quarantacinque": compounds of one word.
COMPOUND_NUMBER: Final = (
    r"(?:ein|zwei|drei|vier|funf|sechs|sieben|acht|neun)und(?:zwanzig|dreissig|dreißig|vierzig|funfzig|sechzig|siebzig|achtzig|neunzig)"
    r"|(?:een|twee|drie|vier|vijf|zes|zeven|acht|negen)en(?:twintig|dertig|veertig|vijftig|zestig|zeventig|tachtig|negentig)"
    r"|(?:vent|trent|quarant|cinquant|sessant|settant|ottant|novant)[aio]?(?:uno|due|tre|quattro|cinque|sei|sette|otto|nove)"
)
YEAR_UNITS: Final = frozenset(
    words_of(
        """
        year years yr yrs yo y ano anos año años ans an annee annees jahr jahre jahren jahrige jahriger
        jahriges jahrigen jahrigem jahrig anno anni jaar jarige jarig a
        """
    )
)
SMALL_UNITS: Final = frozenset(
    words_of(
        """
        month months mo mos mes meses mois monat monate monaten monatige mese mesi maand maanden week weeks
        wk wks semana semanas semaine semaines woche wochen settimana settimane weken day days dia dias jour
        jours tag tage tagen giorno giorni dag dagen hour hours hora horas heures stunden ore uur
        """
    )
)
