"""Function words, folded: of the seven languages, and of others written in Latin letters."""

from __future__ import annotations

from typing import Final

OWN_WORDS: Final[dict[str, str]] = {
    "en": "the of and to in is was with for on that this are were by at from be has had have not he she his her it as which who an or but they "
    "been will would should can could what there their after before about please patient you your my we our when how also into no if than then any all",
    "pt": "o a os as de do da dos das e em no na nos nas um uma com para por pelo pela que nao ao aos se foi sao ser esta estava tem teve mais mas como "
    "ou sem sob apos desde entre ha seu sua ele ela isso este essa muito quando ja foram paciente apresenta refere nega sendo devido dor anos",
    "es": "el la los las de del y en un una con para por que no al se fue es son ser esta estaba tiene tuvo mas pero como o sin tras desde entre hace "
    "su sus lo le ella este esta eso muy cuando ya fueron paciente presenta refiere niega siendo debido dolor anos segun donde hasta durante",
    "fr": "le la les de du des et en un une dans avec pour par que qui ne pas au aux se est sont etre a ete avait plus mais comme ou sans sous apres "
    "depuis entre son sa ses il elle ce cette ces tres quand deja patient patiente presente sur leur nous vous chez lors dont",
    "de": "der die das und in im ist war mit fur auf von zu den dem des ein eine einer eines einem einen nicht sich bei nach aus an am als auch es er sie "
    "wird wurde werden sind hat hatte haben oder aber wie ohne unter seit zwischen ihr sein seine ihre sehr wenn schon durch zur zum uber bitte patient patientin keine",
    "it": "il lo la i gli le di del della dello dei delle degli e in nel nella un una con per da dal dalla che non al alla si e sono era essere ha aveva piu ma "
    "come o senza sotto dopo fra tra suo sua lui lei questo questa molto quando gia paziente presenta riferisce nega anni sono stato stata anche",
    "nl": "de het een en in is was met voor op van te den niet zich bij na uit aan als ook hij zij ze er wordt werd worden zijn heeft had hebben of maar "
    "zonder onder sinds tussen haar hun zeer wanneer al door over dat die dit deze naar geen patient om wel nog",
}
FOREIGN_WORDS: Final[dict[str, str]] = {
    "pl": "i w na z do nie sie jest to ze przez dla od po oraz jak byl byla ktory ktora jego jej przed ale juz tak przy u pacjent pacjentka lat zostal roku",
    "cs": "a v na se je ze s z do o pro od po jako byl byla ktery ktera jeho jeji pred ale jiz take pri u pacient pacientka let podle nebo",
    "sk": "a v na sa je ze s z do o pre od po ako bol bola ktory ktora jeho jej pred ale uz tiez pri u pacient pacientka rokov alebo podla",
    "hr": "i u na se je da s za od po kao bio bila koji koja njegov prije ali vec pri pacijent pacijentica godina ili nije su",
    "sv": "och i att det som en pa ar av for med till den har de inte om ett var fran men nar sig han hon efter vid ocksa patienten eller kan",
    "da": "og i at det som en pa er af for med til den har de ikke om et var fra men nar sig han hun efter ved ogsa patienten eller kan blev",
    "no": "og i at det som en pa er av for med til den har de ikke om et var fra men nar seg han hun etter ved ogsa pasienten eller kan ble",
    "fi": "ja on ei etta se oli hanen han joka mutta myos kun niin potilas potilaan ovat ollut sen tai vuotta jonka ennen jalkeen kanssa",
    "hu": "a az es hogy nem egy van volt meg is de ha csak mint ez azt aki beteg evi vagy kell utan elott szerint lett ami nincs",
    "ro": "si in de la cu pe nu un o este a fost din care pentru mai prin sau dar ca sunt pacientul pacienta ani dupa inainte fara intre lui ei",
    "tr": "ve bir bu da de ile icin olarak olan hasta hastanin degil var yok cok daha gibi sonra once kadar yas yasinda ancak oldu olup ya ise",
    "vi": "va cua la co khong duoc trong mot benh nhan cho voi nguoi nay khi da o cac nhung tu den tai theo bi tuoi ngay ve",
    "id": "dan yang di dengan untuk pada tidak dari ini itu adalah pasien dalam ke oleh sebagai telah atau akan juga karena setelah tahun bisa saya",
    "ms": "dan yang di dengan untuk pada tidak dari ini itu adalah pesakit dalam ke oleh sebagai telah atau akan juga kerana selepas tahun boleh saya",
    "tl": "ang ng sa na mga ay at hindi ni si ko mo niya siya kung para may ito pasyente taon dahil nang isang",
    "sw": "na ya wa kwa ni katika la za mgonjwa kuwa hii yake baada kabla au lakini miaka sana hana",
    "ca": "el la els les de del i en un una amb per que no al es va ser pacient anys mes pero com o sense des entre fa seu seva molt quan ja aquest aquesta",
    "eu": "eta da ez bat du dira zuen izan gaixoa urte baina edo ere den zen batean horren hau",
    "et": "ja on ei et see oli mis ka kui oma patsient aastat voi aga siis veel parast enne",
    "lt": "ir yra ne kad buvo su is i kaip bet pacientas metu arba po prie del tai jo jos",
    "lv": "un ir ne ka bija ar no uz par bet pacients gadus vai pec pie ari tas vina",
    "sq": "dhe eshte nuk ne te me per nga qe se ka nje pacienti vjec por ose pas para si",
    "cy": "y yr a ac i o yn mae ar gan oedd ei am wedi claf nid ond neu hefyd bod",
    "ga": "agus an na ar is le go ni ta bhi do as a othar bliain ach no tar faoi",
    "af": "die en van in is het nie n om te met vir wat op hy sy was aan deur ook pasient jaar maar of na voor",
    "is": "og i ad a er sem til var ekki vid um en med hann hun sjuklingur ara eda fra eftir",
    "so": "iyo waa in ka ku u oo la uu ay bukaanka ma sida",
    "ht": "ak nan se pou li yo pa ki te gen yon malad ane men oswa apre avan",
    "la": "et in est non cum ad quod ut qui sed sunt ex per ab esse aut nec atque",
}
