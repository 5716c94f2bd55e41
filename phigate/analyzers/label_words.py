"""Label words: what people write in front of a value, in seven languages, by the kind of value they announce.

One phrase between bars, folded (lower case, no accents), words as `View.words` cuts them. A phrase that begins with
``~`` is weak: it counts only directly before a value. Kinds are the vocabulary of `labels`.
"""

from __future__ import annotations

from typing import Final

LABEL_WORDS: Final[dict[str, str]] = {
    # Numbers of the hospital
    "mrn": """pt id|pt no|pt nr|pt number|hosp id|casenote|casenotes|case notes|case note|case note no|case note number|pas number|~processo|~hc|ha clinica|n ha|historia n|nhc n|~dossier|zis|patid|patnum|ish nr|krankenhausnummer|
        mrn|mr|pmrn|emrn|mpi|empi|urn|hosp no|hospital no|hospital number|hospital id|medical record|
        medical records|med record|med rec|medrec|patient record|patient id|patient identifier|patient number|patient no|
        patient file|patientid|pat id|pid|chart number|chart no|chart id|chart #|record number|record no|record id|
        record #|records number|~record|~chart|unit number|unit no|health record|ehr id|emr id|ehr number|emr number|
        prontuario|prontuarios|pront|n prontuario|registro hospitalar|registro do paciente|reg hospitalar|~registro|
        rghc|rgh|matricula hospitalar|codigo do paciente|id do paciente|processo clinico|numero de processo|
        processo n|n processo|n do processo|utente hospitalar|
        nhc|hc n|historia clinica|hist clinica|numero de historia|n historia|numero de expediente clinico|
        expediente clinico|expediente|id del paciente|identificacion del paciente|numero de paciente|
        ipp|nip|numero de dossier|n de dossier|no dossier|dossier medical|dossier patient|dossier n|n dossier|
        numero patient|identifiant patient|identifiant permanent du patient|id patient|
        patientennummer|patienten nr|patientennr|patienten id|patienten identifikationsnummer|pat nr|patnr|pat id nr|
        krankenaktennummer|aktennummer|akten nr|aktenzeichen|krankenblattnummer|piz|kis nummer|
        numero di cartella|cartella clinica|cartella|nosologico|n nosologico|numero nosologico|codice paziente|
        id paziente|codice nosografico|numero pratica|
        patientnummer|patient nummer|patientnr|dossiernummer|dossier nummer|zis nummer|zisnummer|statusnummer|
        ziekenhuisnummer|epd nummer""",
    "case": """~enc|enc no|enc id|~atend|enrolment no|specimen|path no|pathology no|~az|auth n|az nr|fnr|aufn nr|nre|~verbale|verbale n|campione n|protocollo n|prot n|impegnativa|impegnativa n|ricetta n|n ricetta|esame n|n esame|scheda n|n progressivo|n protocollo|~impegnativa|demande n|n anapath|anapath n|n prelevement|examen n|n laudo|n exame|n amostra|n guia|n da guia|n de guia|n pedido|n referto|n richiesta|n accettazione|n pratica|n campione|n caso|n muestra|laudo|n registro|
        ~encounter|encounter id|encounter number|visit id|visit number|visit no|visit #|csn|~fin|~har|
        admission id|admission number|admission no|episode number|episode id|episode no|appointment id|booking reference|
        accession|accession number|accession no|accession id|acc #|acc no|acc number|specimen id|specimen number|specimen no|
        sample id|sample number|lab id|lab number|lab no|order id|order number|order no|requisition|requisition number|
        report number|report id|report no|referral number|referral no|referral id|case number|case no|case id|case #|case ref|
        case reference|~case|study id|study number|study subject id|subject id|subject number|participant id|participant number|
        ~participant|enrollment id|enrolment id|trial id|screening number|randomization number|randomisation number|
        protocol number|ticket number|ticket id|incident number|incident id|confirmation number|confirmation code|
        reference number|reference no|ref number|ref no|~ref|~reference|file number|file no|file #|
        transaction id|transaction number|tracking number|tracking no|batch number|invoice|invoice number|invoice no|
        atendimento|numero do atendimento|n atendimento|numero de atendimento|internacao n|numero da internacao|
        registro de atendimento|conta hospitalar|~guia|numero da guia|guia tiss|senha de autorizacao|~senha|aih|apac|
        numero da aih|autorizacao de internacao|pedido|numero do pedido|exame n|numero do exame|laudo n|amostra|
        numero da amostra|protocolo|numero de protocolo|episodio|n episodio|numero do episodio|
        numero de episodio|episodio n|numero de peticion|peticion|n peticion|solicitud|numero de solicitud|muestra|
        n muestra|numero de muestra|biopsia n|numero de biopsia|n biopsia|numero de caso|caso n|numero de visita|
        numero de sejour|n sejour|no sejour|iep|nda|numero de venue|n de venue|numero de demande|n demande|
        numero d examen|n examen|numero de prelevement|n prelevement|numero d admission|n admission|numero d anonymat|
        fallnummer|fall nr|fallnr|fall id|~fall|aufnahmenummer|aufnahme nr|aufnahmenr|auftragsnummer|auftrags nr|
        befundnummer|befund nr|histologienummer|histologie nr|histo nr|hnr|journalnummer|journal nr|einsendenummer|eingangsnummer|probennummer|proben nr|
        labornummer|labor nr|e nr|untersuchungsnummer|vorgangsnummer|fallzahl nr|
        numero di ricovero|ricovero n|numero ricovero|numero accettazione|accettazione n|numero richiesta|richiesta n|
        numero referto|referto n|numero di accesso|codice accesso|numero campione|codice campione|pratica n|
        opnamenummer|opname nummer|bezoeknummer|onderzoeksnummer|aanvraagnummer|ordernummer|monsternummer|zaaknummer|
        zaak nummer|casusnummer|verwijsnummer|factuurnummer|registratienummer|polikliniek nummer|
        consultation number|claim number|claim no|claim id|claim #|~claim|authorization number|authorisation number|
        authorization no|auth number|auth no|prior auth|prior authorization|pre authorization number|
        prescription number|prescription no|rx number|rx no|rx #|rx id|prescription id|dispensing number""",
    "plan": """niss|cite|n contrat|n mutuelle|n assure|n tessera|tessera n|team|cod sanitario|verz nr|polis nr|polisnr|vnr|vers id|mitglieds nr|mitgliedsnr|n poliza|n apolice|medicaid no|
        health plan|health plan id|health plan beneficiary|beneficiary|beneficiary number|beneficiary id|
        plan id|plan number|plan no|plan member|plan beneficiary|member id|member number|member no|member #|memberid|
        membership number|membership id|subscriber|subscriber id|subscriber number|subscriber no|insurance id|
        insurance number|insurance no|insurance policy|insurance card|insurance member|insured id|insured number|~insurance|
        policy number|policy no|policy id|policy #|~policy|policyholder id|group number|group no|group id|group #|medicare|
        medicare id|medicare number|mbi|hicn|medicaid|medicaid id|medicaid number|tricare|payer id|payor id|enrollee id|
        coverage id|coverage number|health insurance|health insurance number|health card|health card number|ohip|hpbn|
        carteirinha|carteira|numero da carteirinha|carteira do plano|carteira do convenio|convenio|plano de saude|
        numero do beneficiario|beneficiario|matricula do plano|apolice|numero da apolice|subsistema|n beneficiario|
        numero de utente|n utente|utente|nº utente|sns|cartao de utente|adse|cartao sus|cartao nacional de saude|
        tarjeta sanitaria|tarjeta de salud|cip|cipa|sip|tis|tsi|nass|nuss|nss|numero de seguridad social|seguridad social|
        n seg social|numero de la seguridad social|numero de asegurado|asegurado|afiliacion|numero de afiliacion|
        numero de poliza|poliza|n poliza|mutua|numero de afiliado|n afiliado|
        numero de securite sociale|securite sociale|n securite sociale|secu|n secu|numero secu|n ss|carte vitale|
        numero d assure|assure social|numero d adherent|n adherent|adherent|mutuelle|numero de mutuelle|
        numero de police|police d assurance|contrat n|numero de contrat|
        krankenversichertennummer|versichertennummer|versicherten nr|versichertennr|versicherungsnummer|
        versicherungs nr|vers nr|kvnr|kv nr|kv nummer|krankenkasse|krankenkassennummer|kassennummer|kassen nr|
        mitgliedsnummer|policennummer|versicherten id|egk|egk nummer|ik nummer|
        tessera sanitaria|numero tessera|numero di tessera|codice sanitario|assistito|codice assistito|polizza|
        numero polizza|numero di polizza|codice regionale|
        polisnummer|polis nummer|verzekerdennummer|verzekeringsnummer|verzekerde nummer|zorgpas|zorgpolis|uzovi|
        relatienummer|klantnummer""",
    "account": """account|account number|account no|account id|account #|acct|acct no|acct number|acct #|a c no|
        ~bank account|bank account|bank account number|iban|swift|bic|routing|routing number|aba|sort code|billing account|
        billing number|billing id|patient account|guarantor account|customer id|customer number|customer no|client id|
        client number|conta|conta corrente|conta bancaria|conta poupanca|agencia|numero da conta|chave pix|pix|nib|
        cuenta|numero de cuenta|cuenta bancaria|n cuenta|cuenta corriente|ccc|clabe|
        compte|numero de compte|compte bancaire|n compte|rib|
        konto|kontonummer|konto nr|kontonr|bankverbindung|blz|kundennummer|kunden nr|rechnungsnummer|rechnungs nr|
        conto|numero conto|conto corrente|numero di conto|
        rekening|rekeningnummer|bankrekening|bankrekeningnummer""",
    "card": """credit card|debit card|card number|card no|credit card number|cc number|visa|mastercard|amex|
        american express|cartao|cartao de credito|numero do cartao|cartao de debito|tarjeta|tarjeta de credito|
        numero de tarjeta|carte bancaire|carte de credit|numero de carte|kreditkarte|kreditkartennummer|kartennummer|
        carta di credito|numero carta|carta di debito|creditcard|creditcardnummer|pasnummer""",
    "license": """cdl|dl n|green card|alien number|alien registration number|uscis number|cie|omceo|omceo n|iscr albo|~om|personalausweis nr|fuhrerschein nr|reisepass nr|perso|pers nr|efn|telematik id|col|n col|coleg|n coleg|colegiada|colegiada n|n colegiada|~c i|patente n|passaporto n|carta d identita n|cedula n|n ordem|n iscrizione albo|
        license|license number|license no|license #|license id|licence|licence number|licence no|
        lic no|lic #|~lic|driver license|drivers license|driver s license|driving licence|driving license|dl no|dl number|
        driver s licence|medical license|medical licence|state license|certificate|certificate number|certificate no|
        cert no|cert number|certification number|certification id|registration number|registration no|registration id|~registration|
        board certification|passport|passport number|passport no|visa number|dea|dea number|dea no|dea registration|
        gmc|gmc number|gmc no|nmc pin|nmc|hcpc|permit number|permit no|badge|badge number|badge no|badge id|
        employee id|employee number|employee no|employee #|staff id|staff number|staff no|provider id|provider number|
        provider no|clinician id|physician id|nurse id|upin|professional id|~id badge|military id|dod id|
        registro profissional|carteira profissional|numero de registro profissional|cartao de cidadao|bilhete de identidade|
        cedula profissional|cedula|n cedula|numero de cedula|ordem dos medicos|om n|carta de conducao|passaporte|crachá|
        cracha|matricula funcional|matricula siape|siape|
        colegiado|nocol|ncolegiado|no colegiado|n colegiado|numero de colegiado|num colegiado|no colegiado|ncol|n col|num col|col n|cedula profesional|
        carne de conducir|permiso de conducir|licencia|numero de licencia|pasaporte|numero de pasaporte|
        rpps|n rpps|numero rpps|adeli|n adeli|permis de conduire|numero de permis|passeport|numero de passeport|
        ordre des medecins|carte d identite|carte nationale d identite|cni|matricule|numero professionnel|finess|n finess|
        lanr|bsnr|arztnummer|arzt nr|betriebsstattennummer|betriebsstatten nr|personalausweis|ausweisnummer|
        ausweis nr|personalausweisnummer|fuhrerschein|fuhrerscheinnummer|reisepass|reisepassnummer|passnummer|pass nr|
        personalnummer|personal nr|approbationsnummer|dienstnummer|
        patente|numero di patente|patente di guida|passaporto|numero di passaporto|carta d identita|carta di identita|
        numero di iscrizione|ordine dei medici|albo|n iscrizione|
        ~big|big nummer|big register|agb|agb code|rijbewijs|rijbewijsnummer|paspoort|paspoortnummer|identiteitskaart|
        id kaart|personeelsnummer|uzi|uzi nummer""",
    "npi": "npi|npi number|npi no|npi #|national provider identifier|national provider id",
    "ssn": """ssn|ss #|ss no|ss number|social|soc sec|social security|social security number|social security no|
        soc sec no|itin|tin|tax id|taxpayer id|taxpayer identification number|ein|employer identification number|
        last four of social|last 4 ssn""",
    "vehicle": """vin|vehicle identification number|vehicle id|vehicle|chassis|chassi|numero do chassi|
        license plate|licence plate|plate number|plate no|plate|number plate|tag number|registration plate|
        bastidor|numero de bastidor|matricula del vehiculo|placa|placa do veiculo|placas|renavam|
        matricula do veiculo|immatriculation|plaque d immatriculation|plaque|numero de serie du vehicule|
        kennzeichen|kfz kennzeichen|kfz|fahrgestellnummer|fin nummer|targa|numero di telaio|telaio|
        kenteken|chassisnummer""",
    "device": """serial|serial number|serial no|serial #|s n|sn|device id|device serial|device identifier|
        device number|udi|lot number|lot no|lot #|~lot|imei|imsi|iccid|equipment id|implant serial|model and serial|
        pacemaker serial|numero de serie|n de serie|n serie|num serie|lote|n lote|numero de lote|numero do lote|
        patrimonio|numero de patrimonio|seriennummer|serien nr|seriennr|geratenummer|gerate nr|chargennummer|
        chargen nr|~charge|ch b|lot n|numero de lot|numero di serie|matricola|numero di matricola|lotto|numero di lotto|
        numero lotto|serienummer|serie nummer|lotnummer|partijnummer|apparaatnummer|asset tag|device tag""",
    "id": """contribuinte|n contribuinte|numero de contribuinte|identificacao fiscal|numero de identificacao fiscal|cod fisc|rv nr|sozialvers nr|sozialversicherungs nr|
        ~id|id number|id no|id #|identifier|~ids|unique id|unique identifier|identification number|identification no|
        identification|national id|national identification number|national insurance|national insurance number|ni number|
        nino|user id|userid|uid|guid|uuid|token|~code|~key|biometric id|fingerprint id|face id|voiceprint id|
        student id|student number|resident id|resident number|inmate number|veteran id|registry number|registry id|
        registry no|donor id|donor number|recipient id|unos id|implant id|sample code|barcode|barcode number|qr code|
        ~number|~no|
        identificador|identificacao|numero de identificacao|matricula|n matricula|numero de matricula|inscricao|
        numero de inscricao|codigo de barras|registro geral|documento|n documento|numero do documento|doc n|
        dni|nif|nie|nif nie|cif|n dni|documento nacional de identidad|documento de identidad|identificacion|
        numero de identificacion|numero de identidad|curp|rfc|rut|cuil|cuit|
        identifiant|n identifiant|numero d identification|numero d identite|nir|ins|ine|
        identifikationsnummer|ident nr|identnr|kennung|kennnummer|id nr|idnr|steuer id|steueridentifikationsnummer|
        steuernummer|steuer nr|rentenversicherungsnummer|sozialversicherungsnummer|sv nummer|sv nr|svnr|rvnr|rv nummer|
        ahv|ahv nummer|barcode nr|
        identificativo|codice identificativo|codice|codice fiscale|cod fiscale|c f|cf|partita iva|p iva|piva|
        numero identificativo|
        identificatie|identificatienummer|id nummer|kenmerk|bsn|burgerservicenummer|bsn nummer|sofinummer|
        nhs|nhs number|nhs no|nhs #|chi|chi number|chi no|hsc number|numero nacional|numero nazionale|rijksregisternummer|
        numero de registre national|npi id""",
    # Brazil and Portugal by name
    "cpf": "cpf|cpf mf|cpf n|cpfs|cic|cadastro de pessoa fisica|cadastro de pessoas fisicas|cpf do paciente",
    "cnpj": "cnpj|cnpj mf|cgc|cadastro nacional da pessoa juridica",
    "rg": "rg|r g|rg n|registro geral|carteira de identidade|identidade|cedula de identidade|cin|rg do paciente|rne|rnm",
    "cns": "cns|cartao sus|cartao do sus|carteira sus|cartao nacional de saude|numero do sus|n sus|sus|cadsus|cartao cns",
    "pis": "pis|pasep|pis pasep|nit|nis|pis nis|pis nit",
    "titulo": "titulo de eleitor|titulo eleitoral|titulo eleitor|inscricao eleitoral|titulo",
    "cnh": "cnh|carteira de motorista|carteira nacional de habilitacao|habilitacao|registro cnh",
    "renavam": "renavam",
    "certidao": """certidao|certidao de nascimento|certidao de casamento|certidao de obito|matricula da certidao|
        dnv|declaracao de nascido vivo|declaracao de nascimento|nascido vivo|declaracao de obito""",
    "brpassport": "passaporte|n passaporte|numero do passaporte",
    "crm": """crmsp|crmrj|crmmg|crmrs|crmpr|crmba|crmsc|crmdf|crmpe|crmce|crmgo|crmes|crn1|crn2|crn3|crn4|crefono|crfono|cref|
        crm|coren|cro|crf|crefito|crn|crfa|cremesp|cremerj|crbm|cress|crmv|rqe|crm n|cnes|crm sp|crm rj|
        crm mg|crm rs|crm pr|crm ba|crm sc|crm df|crm pe|crm ce|crm go""",
    # Contact
    "phone": """phone|phone number|phone no|phones|telephone|telephone number|tel|tel no|tele|ph|ph no|cell|cell phone|
        cellphone|mobile|mobile number|mobile no|mob|home phone|work phone|contact number|contact no|callback|call back|
        callback number|call|called|reach|reached at|reachable at|dial|text|pager|beeper|bleep|pager number|extension|
        ext|whatsapp|sms|hotline|landline|switchboard|contact|emergency contact|ring|
        telefone|telefones|telefone residencial|celular|cel|fone|tel celular|contato|contatos|telemovel|tlm|telef|tlf|
        zap|ramal|ligar|ligue|recado|bip|
        telefono|telefonos|tfno|tlfno|tfn|movil|tel movil|contacto|llamar|busca|
        telephone portable|portable|numero de telephone|mobile|joignable|joindre|appeler|poste|gsm|
        telefon|telefonnummer|telefon nr|tel nr|handy|handynummer|mobil|mobilnummer|mobiltelefon|rufnummer|festnetz|
        durchwahl|dw|erreichbar|ruckruf|fon|telefonisch|funk|pieper|
        telefono|numero di telefono|cellulare|cell|recapito|recapito telefonico|interno|chiamare|recapiti|
        telefoon|telefoonnummer|tel nummer|mobiel|mobiele nummer|gsm nummer|bereikbaar|bellen|sein|toestel|pieper""",
    "fax": "fax|fax number|fax no|facsimile|telefax|faxnummer|telefaxnummer|fax nr|numero de fax|numero di fax|fax n",
    "email": """email|e mail|mail|emails|email address|e mail address|correo|correo electronico|courriel|
        adresse mail|adresse email|mailadresse|email adresse|e mailadres|posta elettronica|indirizzo email|correio eletronico|
        endereco eletronico""",
    "url": "url|website|web site|web|site|homepage|portal|link|webpage|profile|pagina web|sito|sito web",
    "ip": """ip|ip address|ipaddress|ip addr|ipv4|ipv6|endereco ip|direccion ip|adresse ip|ip adresse|indirizzo ip|
        ip adres|client ip|source ip|remote ip""",
    "mac": "mac|mac address|mac addr|bluetooth|endereco mac|direccion mac|adresse mac|mac adresse|indirizzo mac|mac adres",
    "username": """username|user name|user|login|login name|logon|user id|userid|handle|screen name|skype|twitter|
        instagram|facebook|account name|usuario|nome de usuario|nombre de usuario|utilizador|identifiant de connexion|
        nom d utilisateur|utilisateur|benutzername|benutzer|anmeldename|benutzerkennung|nome utente|utente web|
        gebruikersnaam|gebruiker|epic user|portal login|portal username|patient portal username|samaccountname""",
    # Dates
    "dob": """dob|d o b|date of birth|birth date|birthdate|birthday|born|born on|bday|
        data de nascimento|data nascimento|dt nascimento|dt nasc|data de nasc|data nasc|dn|d n|nascimento|nasc|nascido em|
        nascida em|nascido|nascida|
        fecha de nacimiento|fecha nacimiento|f nacimiento|fec nac|f nac|fecha nac|nacimiento|fn|f n|nacido el|nacida el|nacido|
        nacida|
        date de naissance|naissance|ne le|nee le|ddn|date naissance|ne e le|
        geburtsdatum|geb datum|geb|gebdat|geb dat|geboren am|geboren|geburtstag|
        data di nascita|nato il|nata il|nascita|nato|nata|data nascita|
        geboortedatum|geboren op|geb datum|geboortedag|gebdatum""",
    "date": """date|dated|admission date|discharge date|date of admission|date of discharge|date of service|dos|doa|dod|
        date of death|admitted|discharged|visit date|seen on|on|collected|received|reported|appointment|scheduled|expires|
        expiry|expiration|date of surgery|surgery date|procedure date|service date|signed|
        data|data da alta|data de admissao|data de internacao|data da consulta|data do exame|internado em|alta em|
        admissao|em|data da cirurgia|data do obito|dt|coleta|
        fecha|fecha de ingreso|fecha de alta|fecha de consulta|fecha ingreso|fecha alta|ingreso|el dia|fecha de defuncion|
        fecha de intervencion|date d entree|date de sortie|date d admission|le|entree le|sortie le|date d intervention|
        datum|aufnahme|aufnahmedatum|entlassdatum|entlassung|am|vom|bis|untersuchungsdatum|befund vom|op datum|eingang|
        data di ricovero|data di dimissione|data ricovero|data dimissione|il|data del referto|data intervento|ricovero|
        opnamedatum|ontslagdatum|opname|ontslag|op|datum opname|datum ontslag|d d""",
    "age": """age|aged|ages|patient age|idade|anos de idade|edad|age du patient|alter|eta|leeftijd""",
    # Places
    "street": """address|addr|home address|street address|mailing address|residential address|street|lives at|
        resides at|residing at|living at|address line|address1|address2|
        endereco|end|logradouro|rua|reside na|residente na|reside em|morada|domicilio|endereco residencial|
        direccion|domicilio|calle|vive en|reside en|adresse|domicile|demeurant|rue|habite au|
        anschrift|strasse|straße|wohnhaft|wohnt in|wohnanschrift|hausnummer|indirizzo|via|residente in|residenza|abita in|
        adres|straat|woonadres|woonachtig|wonende""",
    "city": """city|town|municipality|hometown|city of residence|place of birth|birthplace|born in|village|
        cidade|municipio|localidade|naturalidade|natural de|procedencia|procedente de|bairro|concelho|freguesia|
        ciudad|localidad|poblacion|lugar de nacimiento|municipio|natural de|localidad provincia|
        ville|commune|lieu de naissance|localite|ne a|nee a|
        ort|stadt|wohnort|geburtsort|gemeinde|citta|comune|luogo di nascita|localita|comune di residenza|
        stad|plaats|woonplaats|geboorteplaats|gemeente""",
    "county": "county|parish|district|borough|provincia|distrito|departement|landkreis|kreis|provincie|condado|comarca",
    "location": """state|country|region|province|nationality|country of origin|estado|uf|pais|nacionalidade|regiao|
        nacionalidad|pays|nationalite|land|bundesland|staatsangehorigkeit|nationalitat|paese|nazionalita|regione|
        nationaliteit|location|residence|country of birth""",
    "zip": """zip|zip code|zipcode|postal code|postcode|post code|postalcode|cep|codigo postal|cp|c p|cod postal|
        code postal|plz|postleitzahl|cap|codice postale|codice di avviamento postale""",
    # People and houses, used by the shape layer
    "person": """name|patient name|full name|first name|last name|middle name|given name|family name|surname|forename|
        maiden name|preferred name|patient|nickname|also known as|aka|alias|name of patient|pt name|patient s name|
        nome|nome do paciente|nome completo|nome social|sobrenome|paciente|apelido|nome da paciente|
        nombre|nombre completo|nombre del paciente|apellidos|apellido|nombre y apellidos|nombres|primer apellido|
        nom|prenom|nom de famille|nom de naissance|nom du patient|nom et prenom|nom prenom|prenoms|nom usuel|
        vorname|nachname|familienname|geburtsname|name des patienten|patientenname|patientin|zuname|
        cognome|nome e cognome|nome del paziente|cognome e nome|nominativo|paziente|
        naam|voornaam|achternaam|patientnaam|naam patient|familienaam|roepnaam|geslachtsnaam""",
    "relative": """mother|father|mother s name|father s name|spouse|wife|husband|next of kin|nok|guardian|
        emergency contact name|guarantor|guarantor name|mother maiden name|son|daughter|brother|sister|partner|caregiver|carer|
        mae|pai|nome da mae|nome do pai|filiacao|conjuge|esposo|esposa|responsavel|nome do responsavel|acompanhante|
        contato de emergencia|mamae|
        madre|padre|nombre de la madre|nombre del padre|conyuge|familiar|tutor|persona de contacto|
        mere|pere|nom de la mere|conjoint|epouse|epoux|personne de confiance|personne a prevenir|
        mutter|vater|ehefrau|ehemann|angehorige|angehoriger|bezugsperson|kontaktperson|
        coniuge|moglie|marito|familiare|tutore|referente|
        moeder|vader|echtgenoot|echtgenote|partner|contactpersoon|mantelzorger""",
    "clinician": """physician|doctor|provider|attending|attending physician|surgeon|referring physician|pcp|gp|
        primary care physician|primary care provider|ordering provider|radiologist|pathologist|dictated by|signed by|
        electronically signed by|reviewed by|resident|nurse|consultant|practitioner|author|requested by|reported by|
        medico|medica|medico responsavel|medico assistente|medico solicitante|enfermeiro|enfermeira|cirurgiao|
        assinado por|responsavel tecnico|solicitante|residente|
        medico responsable|facultativo|medico solicitante|cirujano|enfermera|remitido por|firmado por|
        medecin|medecin traitant|chirurgien|prescripteur|medecin prescripteur|signe par|redige par|
        arzt|arztin|hausarzt|hausarztin|behandelnder arzt|operateur|oberarzt|chefarzt|stationsarzt|uberweiser|
        medico curante|medico di base|chirurgo|medico richiedente|firmato da|refertato da|
        arts|huisarts|behandelend arts|verwijzer|chirurg|specialist|hoofdbehandelaar""",
    "org": """insurance|insurer name|payor|convenio|plano de saude|seguradora|aseguradora|mutua|mutuelle|assurance|caisse|krankenkasse|kasse|kostentrager|
        verzekeraar|zorgverzekeraar|assicurazione|referring facility|sending facility|performing lab|school|nursing home|surgery|hospital|facility|clinic|organization|organisation|institution|employer|insurer|insurance company|
        health center|managing organization|department of|practice|pharmacy|payer|company|
        hospital de origem|unidade|clinica|instituicao|empresa|empregador|operadora|unidade de saude|estabelecimento|
        centro|centro de salud|institucion|hospital de referencia|etablissement|clinique|hopital|employeur|
        klinik|krankenhaus|einrichtung|arbeitgeber|ospedale|struttura|istituto|azienda|datore di lavoro|
        ziekenhuis|instelling|zorginstelling|werkgever|apotheek""",
    # What a number may be instead: codes, sizes, statistics, versions
    "not": """resolucao|rdc|instrucao normativa|regulation|directive|verordnung|richtlinie|decret|arrete|circolare|legge|delibera|dpr|real decreto|orden|resolucion|resolution|sigtap|meddra|cbo|nomenclatore|hgvs|chr|chromosome|cromossomo|error code|codigo de erro|http status|
        icd|icd 9|icd 10|icd9|icd10|icd 11|icd o|cid|cid 10|cie|cie 10|cim|cim 10|cpt|hcpcs|loinc|snomed|snomed ct|
        rxnorm|atc|tuss|cbhpm|sigtap|drg|ops|ebm|goa|goae|ndc|pzn|ean|nct|pmid|pmcid|doi|issn|isbn|isrctn|eudract|prospero|
        umls|omim|dbsnp|genbank|uniprot|cas|ec|din|iso|rfc|version|versao|build|release|software|
        page|pages|pagina|paginas|seite|seiten|pag|pg|pp|figure|fig|table|tabela|tabla|tableau|tabelle|tabella|tabel|
        chapter|section|appendix|vol|volume|issue|grant|protocol version|
        n|p|or|rr|hr|ci|ic|sd|se|iqr|mean|median|average|total|sum|ratio|range|score|grade|stage|class|type|grau|
        estadio|tipo|classe|escore|gcs|glasgow|apache|sofa|saps|apgar|nihss|bmi|imc|bmi of|
        bp|pa|ta|rr|fc|fr|hr|hf|af|spo2|sat|sat o2|temp|temperature|tax|pulse|pulso|puls|weight|peso|poids|gewicht|
        height|altura|talla|taille|grosse|altezza|lengte|creatinine|creatinina|glucose|glicemia|hb|hgb|wbc|plt|platelets|
        plaquetas|leukozyten|thrombozyten|leucocitos|leucocytes|crp|tsh|ldh|alt|ast|ggt|ck|psa|bnp|nt probnp|ferritin|
        ferritina|d dimer|troponin|troponina|sodium|potassium|sodio|potassio|inr|cd4|viral load|carga viral|copies|
        dose|dosis|dosagem|bed|leito|cama|lit|bett|letto|room|quarto|sala|zimmer|kamer|box|
        channel|size|french|gauge|item|artigo|article|art|lei|law|paragraph|§|resolution|portaria|decreto|
        model|modelo|serie temporal|series|slice|slices|image|images|imagem|frame|spn""",
}
