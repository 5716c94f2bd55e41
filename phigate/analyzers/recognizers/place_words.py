"""Words of addresses in seven languages, folded."""

from __future__ import annotations

from typing import Final

from phigate.analyzers.recognizers.spec import words_of

# Word -> whether it says "street" by itself; others need a house number behind the name.
THOROUGHFARE_FIRST: Final[dict[str, bool]] = {
    **dict.fromkeys(
        words_of(
            """
        rua avenida av avda alameda travessa praca rodovia estrada ladeira viela beco sqn sqs calle paseo
        plaza plza pza carrer carretera ctra ronda travesia urbanizacion avinguda passeig glorieta callejon
        rambla poligono kalea rue chaussee sentier montee boulevard bld blvd bd impasse chemin quai viale piazza piazzale vicolo
        contrada lungomare
        """
        ),
        True,
    ),
    **dict.fromkeys(
        words_of(
            """
        r al tv pc rod est largo quadra c cl placa barrio camino urb allee allees cours route square ruelle
        faubourg loc fraz frazione lotissement place pl via corso strada localita salita borgo straat laan jardines
        prolongacion calzada
        """
        ),
        False,
    ),
}
# English street words after the name; short ones need a capital letter and a house number.
THOROUGHFARE_LAST: Final[dict[str, bool]] = {
    **dict.fromkeys(
        words_of(
            """
        street avenue boulevard lane road drive highway parkway turnpike freeway expressway crescent
        """
        ),
        True,
    ),
    **dict.fromkeys(
        words_of(
            """
        st str ave av rd dr ln ct court pl place blvd bvd way terrace ter circle cir square sq hwy pkwy
        trail trl cres close gardens grove mews row loop alley plaza pike crossing ridge view hill heights
        run path walk broadway manor park esplanade parade track route bypass point cove hollow meadow
        meadows valley creek green strasse straße weg platz allee ring gasse straat laan plein streets
        mountain island islands forest forge fork falls field fields ford haven inlet junction key keys
        knoll knolls lake lakes landing light lights lock lodge mall manors mill mills mission motorway
        mount neck orchard oval overpass passage pass pine pines plain plains port prairie radial ranch
        rapids rest river shoal shore spring springs spur stream summit throughway trace underpass union
        viaduct vista ville well wells bridge brook bluff
        """
        ),
        False,
    ),
}
SUFFIXES: Final = (
    "strasse", "straße", "str", "gasse", "weg", "allee", "platz", "ring", "damm", "ufer", "steig", "chaussee", "promenade", "straat", "laan",
    "plein", "gracht", "kade", "dijk", "singel", "steeg", "dreef", "markt", "graben", "pfad", "stieg", "zeile", "hang", "steg", "hof", "berg",
)  # fmt: skip
SUFFIX_TAILS: Final = frozenset(suffix[-3:] for suffix in SUFFIXES)
PARTICLES: Final = frozenset(
    words_of(
        """
        de da do dos das del della delle dei degli dello di du des la las los le les el l d sta san santa
        santo sao ste saint sainte dr dra prof gen cel av y e et i the of van der den ten op aan het am an
        im in auf zum zur von und sur sous aux au a
        """
    )
)
FLAT: Final = (
    r"(?:[ ,;./-]{1,3}(?:\d{1,2}(?:st|nd|rd|th) (?:floor|fl)|apt|apartment|unit|suite|ste|floor|flat|fl|room|rm|building|bldg|lot|#|casa|apto|apartamento|ap|bloco|bl|andar|sala|conjunto|cj|"
    r"lote|fundos|edificio|ed|piso|planta|puerta|pta|portal|escalera|esc|bajo|bajos|atico|izq|izquierda|dcha|dcho|derecha|km|bat|batiment|etage|appt|"
    r"interno|int|scala|bus|hs|s/n|sn|stiege|tur|po box|box|trailer|space|dpto|depto|esq)(?![a-z])\.?(?:[ .:]{0,2}(?:n\.?|#)?[ ]?[0-9a-z]{1,4}(?:-[0-9a-z]{1,4})?(?![a-z0-9])\.?[ºª°]?)?){0,4}"
)
HOUSE_NUMBER: Final = r"(?:[ ,.]{0,3}(?:n\.?[º°o]?\.?|no\.?|num\.?|nr\.?|#|numero|km)?[ ]?\d{1,5}(?:[ ]?[a-z](?![a-z0-9]))?(?:[-/]\d{1,5}[a-z]?|[ ]?(?:bis|ter)(?![a-z]))?)(?![\d%:/]|[.,]\d)"
FLOOR_TAIL: Final = (
    r"(?:[ ,.]{1,3}(?:\d{1,3}[ºª°o]?[ .,-]{0,2}(?:[a-z]{1,4}(?![a-z]))?\.?[ºª°]?|s/n|sn)(?![\da-z%])){0,3}"
)
STATES: Final = frozenset(
    words_of(
        """
        AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC
        ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR AP AE
        """
    )
)
BR_STATES: Final = frozenset(
    words_of(
        """
        AC AL AP AM BA CE DF ES GO MA MT MS MG PA PB PR PE PI RJ RN RS RO RR SC SP SE TO
        """
    )
)
NOT_STREET: Final = frozenset(
    words_of(
        """
        day days week weeks month months year years hour hours mg ml patients patient of the and or with in
        on at to for from was were is are by who had old male female man woman grade stage type class phase
        x
        """
    )
)
# Ordinary words that end like a street.
NOT_SUFFIXED: Final = frozenset(
    words_of(
        """
        during spring string ring weg away norweg herzweg strong bring offspring hamstring string monitoring
        scoring
        """
    )
)
