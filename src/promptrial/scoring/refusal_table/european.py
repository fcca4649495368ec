"""Refusals in the other languages of Europe."""

# ruff: noqa: E501, RUF001 - one phrase a line, in letters that look like others

from __future__ import annotations

from promptrial.scoring.refusal_table.language import Language

__all__ = [
    "DUTCH",
    "EUROPEAN",
    "FRENCH",
    "GERMAN",
    "GREEK",
    "ITALIAN",
    "POLISH",
    "PORTUGUESE",
    "RUSSIAN",
    "SCANDINAVIAN",
    "SPANISH",
    "UKRAINIAN",
]

GERMAN = Language(
    triggers="wenig wenige nicht keine kein keinen keinerlei unbekannt unklar unbeantwortbar unmöglich weder unbestimmt nichts",
    refusals="""
[das|es|die antwort] [ich] weiß [ich] [es|das|die antwort] [darauf] [leider|wirklich|auch|ehrlich gesagt] [darauf] nicht [genau|sicher] [{basis}]
[ich] weiß [es] [leider] nicht (wer|wann|wo|was|wie|ob|welche|welcher|welches|welchen|warum|wem|wen|wessen|woher|wohin) …
[ich habe] [leider] keine ahnung
[ich habe] [dazu|darüber|hierzu] [leider] keine (information|informationen|angaben|angabe|antwort|daten) [dazu|darüber|darauf|zu …|über …|{basis}] [gefunden|vorhanden|verfügbar]
(es|dazu|darüber|hierzu) [gibt|liegen|finden sich|sind] [es] [{basis}] [dazu|darüber|hierzu|mir] [leider] keine (information|informationen|angaben|angabe|antwort|daten) [dazu|darüber|zu …|über …] [{basis}] [vor|vorhanden|verfügbar]
{source} (enthält|gibt|liefert|bietet|macht|hat) [leider|dazu|darüber|hierzu] (keine|keinerlei|keinen|nicht) […]
{source} (nennt|erwähnt|sagt|besagt|gibt|enthält|erklärt|beantwortet|beschreibt|verrät|spezifiziert|macht) [es|das|dies|dazu|die frage|…] nicht [an|explizit] [wer …|wann …|wo …|was …|wie …|ob …|welche …|warum …]
{source} (nennt|erwähnt|sagt|besagt) [dazu|darüber] nichts [dazu|darüber|über …|zu …]
[das|es|dies|die antwort|diese information] (steht|wird|ist|geht|findet sich|lässt sich|kann) [leider] [{basis}] [leider] nicht [explizit] [{basis}] {verb} [werden] [{basis}]
[das|es|dies|die antwort|diese information|darüber|dazu] (steht|ist|geht|findet sich) [leider] (nicht|nichts) {basis} [hervor]
[das|es|dies|die antwort|diese information] (steht|ist|geht) [leider] {basis} [leider] nicht [hervor]
… (wird|ist|werden|sind) [{basis}] nicht [explizit] (genannt|erwähnt|angegeben|bekannt|beschrieben|spezifiziert) [{basis}]
… (ist|sind|bleibt) [{basis}] (unbekannt|unklar) [{basis}]
… (kann|lässt sich) [{basis}] nicht [{basis}] (beantwortet|bestimmt|ermittelt|festgestellt|beantworten|bestimmen|ermitteln|feststellen|sagen) [werden] [{basis}]
[ich] (kann|konnte) [ich] [diese frage|die frage|das|es|dies|dazu|darauf|keine antwort|ihnen|dir] [leider] [{basis}] (nicht|keine antwort) {verb} [{basis}]
[leider] nicht [{basis}] {stated} [{basis}]
[darüber|dazu|hierzu] (sagt|erwähnt|nennt|steht) {source} nichts
(darüber|dazu|hierzu|davon) habe ich [leider] keine (information|informationen|angaben|angabe|antwort|daten|kenntnis)
[das|es|dies] [{basis}] (wird|wurde|ist) [das|es|dies] [{basis}] nicht [explizit] ({stated}|gesagt) [wer …|wann …|wo …|was …|wie …|ob …|welche …|warum …]
(der autor|die autorin|der verfasser|der erzähler) (nennt|erwähnt|sagt|erklärt|verrät) [es|das|dies|…] nicht [explizit] [wer …|wann …|wo …|was …|wie …|ob …|welche …|warum …]
(unbekannt|unklar|unbeantwortbar|nicht bekannt|nicht beantwortbar|nicht bestimmbar|nicht {basis}|keine angabe|keine angaben|keine antwort|keine information|keine informationen) [{basis}]
[ich bin] [mir] [leider] [da] nicht sicher
(es|das) ist [leider] nicht (bekannt|klar|angegeben|erwähnt) [{basis}] (wer|wann|wo|was|wie|ob|welche|welcher|warum) …
[dazu|darüber|das] (kann|konnte) ich [leider] (nichts|nicht|keine angaben|keine angabe|keine auskunft) (sagen|machen|geben|finden)
[{basis}] steht [{basis}] [dazu|darüber] nichts [dazu|darüber|über …|davon] [{basis}]
nicht genügend (information|informationen|angaben|daten) [{basis}]
(zu wenig|zu wenige) (information|informationen|angaben)
dabei kann ich [leider] [ihnen|dir] nicht helfen
""",
    fillers="""
(tut mir leid|es tut mir leid|leider|entschuldigung|sorry|ich bedaure|ich bedauere)
{basis}
[die|meine|kurze] antwort [ist|lautet]
ich (glaube|denke|fürchte)
""",
    explanations="""
{source} (erwähnt|nennt|sagt|beschreibt|enthält|gibt) nur …
{source} (handelt|beschreibt|behandelt) …
""",
    joints="aber da denn weil und sondern jedoch",
    continues="wer wann wo was wie ob welche welcher welches welchen warum wem wen wessen woher wohin oder und zu",
    committing="aber|jedoch|vielleicht|wahrscheinlich|vermutlich|möglicherweise|sondern|glaube|denke|vermute|weil",
    pieces={
        "source": (
            "[der|die|das|dieser|dieses|diesem|dem|den|des] [gegebene|gegebenen|vorliegende|vorliegenden|obige|obigen"
            "|bereitgestellte|bereitgestellten] (text|textes|texts|textabschnitt|passage|abschnitt|kontext|artikel"
            "|absatz|dokument|auszug|textpassage|abschnitts|quelle|textstelle)"
        ),
        "basis": (
            "(im|in|aus|laut|anhand|nach|gemäß|auf grundlage|auf basis|basierend auf|auf der grundlage|auf der basis"
            "|aufgrund|mit|hier|dort|aus dem|in der) [{source}|den informationen|den gegebenen informationen]"
        ),
        "stated": (
            "(angegeben|erwähnt|genannt|bekannt|enthalten|vorhanden|beschrieben|spezifiziert|verfügbar|gegeben|klar"
            "|aufgeführt|ersichtlich|sicher|bestimmbar|beantwortbar)"
        ),
        "verb": (
            "({stated}|beantwortet|bestimmt|ermittelt|festgestellt|beantworten|bestimmen|ermitteln|feststellen|sagen"
            "|finden|geben|helfen|hervor|entnehmen|entnommen|gesagt|gefunden)"
        ),
    },
)

SPANISH = Language(
    triggers="no desconocido desconocida desconozco desconoce indeterminado incierto imposible tampoco ninguna nada sin ni",
    refusals="""
[yo] no [lo|la] sé [con certeza|con seguridad|exactamente|la respuesta|la respuesta a esa pregunta] [{basis}]
[yo] no [lo] sé (quién|cuándo|dónde|qué|cómo|si|cuál|cuáles|cuánto|cuántos|por qué) …
[yo] [lo] desconozco [la respuesta|esa información|…]
[yo] no conozco la respuesta
no tengo [ni|la menor|la más mínima|ninguna] idea
no (sabría|puedo) (decir|decirlo|decirte|responder)
no se (proporciona|da|ofrece|incluye|menciona|indica|especifica) [esa|esta|ninguna|la|dicha] [información|mención|respuesta|detalle|nada] [{about}]
ni idea
no (tengo|hay|existe|dispongo de|cuento con|se dispone de|encuentro|encontré) [suficiente|suficientes|la|esa|ninguna|más] (información|informacion|datos|mención|respuesta|detalles|referencia) [suficiente|suficientes] [{about}] [disponible] [{basis}] [para …]
[eso|esto|la respuesta|ello] no [se] {stated} [{basis}] [{clause}]
[la respuesta|…] no (está|es|fue|ha sido) [explícitamente] {participle} [{basis}]
no {participle} [{basis}]
[eso|esto|la respuesta|…] no (está|aparece|figura) {basis}
[eso|esto|la respuesta|la pregunta|…] no se {stated} [{basis}] [{clause}]
[eso|esto|la respuesta|la pregunta|…] no se puede {verb} [{basis}]
[eso|esto|la respuesta|la pregunta|…] no puede ser (respondida|determinada|determinado|contestada) [{basis}]
[lo siento] no (puedo|es posible|se puede|pude|podemos) {verb} [lo|esa pregunta|esta pregunta|la pregunta|eso|la respuesta|con certeza|…] [{basis}]
{source} no [lo|la|nos] {says} [explícitamente] [{clause}|nada|eso|esto|esa información|…]
(el autor|la autora|el narrador) no [lo|nos] (menciona|dice|especifica|indica|aclara|explica|revela|precisa) [{clause}|…]
(desconocido|desconocida|se desconoce|no especificado|sin respuesta|sin información|sin datos|indeterminado|no aplica|no disponible|no hay respuesta|no contesta)
se desconoce [{clause}|…]
(es|resulta) imposible {verb} […]
no estoy seguro [de eso|de la respuesta]
no estoy segura [de eso|de la respuesta]
""",
    fillers="""
(lo siento|lo lamento|disculpa|disculpe|perdón|lamentablemente|desafortunadamente|por desgracia)
{basis}
[la|mi] respuesta [es|final] [es]
""",
    explanations="""
{source} (solo|sólo|solamente|únicamente) …
""",
    joints="pero porque ya pues y sino que",
    continues="quién cuándo dónde qué cómo si cuál cuáles cuánto ni o y de en a",
    committing="pero|sino|quizás|quizá|tal vez|probablemente|posiblemente|creo que|aunque|porque",
    pieces={
        "source": (
            "[el|la|este|esta|los|las|del|al] (texto|pasaje|contexto|artículo|párrafo|documento|fragmento|fuente"
            "|información) [proporcionado|proporcionada|dado|dada|anterior]"
        ),
        "basis": "(en|de|del|según|con|a partir de|a partir del|basado en|basándome en|en base a) [{source}|ello|esto]",
        "about": "(sobre|acerca de|de|al respecto|del|en) […]",
        "clause": "(quién|cuándo|dónde|qué|cómo|si|cuál|cuáles|cuánto|cuántos|por qué|a quién|de quién) …",
        "stated": (
            "(menciona|dice|especifica|indica|sabe|conoce|proporciona|da|encuentra|incluye|detalla|aclara|informa"
            "|revela|establece|describe|nombra|señala|explica|contiene|ofrece|responde)"
        ),
        "says": "({stated}|ofrece|hace)",
        "participle": (
            "(mencionado|mencionada|especificado|especificada|indicado|indicada|disponible|dicho|claro|conocido"
            "|conocida|dado|proporcionado|determinado|encontrado|seguro)"
        ),
        "verb": (
            "(responder|responderlo|determinar|determinarlo|contestar|saber|saberlo|decir|decirlo|encontrar"
            "|encontrarlo|ayudar|ayudarte|ayudarle|ayudar con eso|inferir|deducir|establecer|proporcionar)"
        ),
    },
)

FRENCH = Language(
    triggers="pas non j'ignore aucune aucun inconnu inconnue impossible jamais l'ignore ignore n'en rien indéterminé",
    refusals="""
[je] ne [le] sais pas [du tout|exactement] [{basis}]
[je] ne [le] sais pas (qui|quand|où|que|quoi|comment|si|quel|quelle|quels|quelles|pourquoi|combien|ce) …
j' sais pas
je sais pas
je n'en (sais rien|ai aucune idée)
je l'ignore
j'ignore […]
aucune idée
je n'ai (pas|aucune) [l'|d'|de|la|cette] (idée|d'information|d'informations|l'information|réponse|la réponse|cette information|assez d'informations|suffisamment d'informations|information|informations) [{about}] [pour …] [{basis}]
je ne (connais|trouve|vois) pas [la|de|cette] (réponse|réponses|mention) [{basis}]
je ne (peux|suis) pas [en mesure de|capable de|vous] {verb} [à|la|cette|question|réponse|cela|ça|…] [{basis}]
je ne suis pas (sûr|sûre|certain|certaine) [de la réponse]
il n'y a (pas|aucune) [assez|suffisamment] [d'|de] (d'information|d'informations|information|informations|mention|réponse|indication|données) […]
(ce n'est|cela n'est|ça n'est|c'est|ce n'était|la réponse n'est|l'information n'est|cette information n'est|n'est) pas [explicitement] {participle} [{basis}]
… n'est pas [explicitement] {participle} [{basis}]
non {participle} [{basis}]
pas {participle} [{basis}]
[cela|ça|…] [n'est] pas {participle} {basis}
(inconnu|inconnue|indéterminé|sans réponse|aucune réponse|aucune information|pas de réponse|pas d'information|pas d'informations|impossible à déterminer|impossible à dire|impossible de le dire|impossible de savoir|impossible de répondre|impossible de le déterminer) [{basis}] [{about}]
(on ne|l'on ne) (sait|peut) pas [{verb}] [qui …|quand …|où …|si …|…]
(il est|c'est) impossible (de|à) {verb} […]
aucune (information|réponse|mention|indication|donnée|précision) n'est [explicitement] {participle} [{about}] [{basis}]
(l'auteur|le narrateur) ne [le|nous] (dit|mentionne|précise|indique|explique|révèle) pas [qui …|quand …|où …|…]
{source} ne [le|la|nous|les|l'|en|me] {says} pas [explicitement] [de|cela|ça|qui …|quand …|où …|…]
{source} n'[le|la|en] {says} pas [explicitement] [de|cela|ça|…]
{source} (ne|n'en) {says} (rien|aucune|aucun) […]
{source} (n'indique|n'explique|n'évoque|n'offre|n'inclut|n'apporte) (pas|aucune|aucun|rien) […]
{source} ne (donne|fournit|contient) (aucune|aucun|pas) […]
la question (ne peut|n'a) pas [être|de] {participle} [{basis}]
""",
    fillers="""
(désolé|désolée|je suis désolé|je suis désolée|malheureusement|je regrette|pardon|excusez moi)
{basis}
[la|ma] réponse [est|finale] [est]
""",
    explanations="""
{source} ne (parle|mentionne|donne|dit|décrit|contient) que …
{source} (parle|traite) [de|du|des] …
""",
    joints="mais car parce puisque et que",
    continues="qui quand où comment si quel quelle quels quelles pourquoi combien ni ou et ce de",
    committing="mais|peut être|probablement|je pense|je crois|cependant|toutefois|parce|sans doute|il s'agit",
    pieces={
        "source": (
            "[le|la|l'|ce|cet|cette|du|ce] (texte|passage|contexte|article|l'article|paragraphe|document|extrait"
            "|l'extrait|source|cet article|cet extrait) [fourni|donné|ci dessus]"
        ),
        "basis": (
            "(dans|selon|d'après|à partir de|à partir du|sur la base du|en fonction du|par|ici|avec) [{source}|les"
            " informations fournies]"
        ),
        "about": "(sur|à propos de|concernant|de|du|au sujet de|à ce sujet|à) […]",
        "says": (
            "(dit|mentionne|précise|indique|donne|fournit|contient|spécifie|permet|nomme|répond|explique|décrit"
            "|parle|révèle|cite|évoque|comporte|fait)"
        ),
        "participle": (
            "(mentionné|mentionnée|précisé|précisée|indiqué|indiquée|dit|donné|donnée|spécifié|spécifiée|fourni"
            "|fournie|connu|connue|disponible|clair|répondue|déterminé|déterminée|dans|indiqués|possible de"
            " répondre|possible de le dire|possible de déterminer|possible de savoir)"
        ),
        "verb": "(répondre|dire|déterminer|trouver|savoir|aider|fournir|donner|le dire|le savoir|le déterminer)",
    },
)

ITALIAN = Language(
    triggers="non sconosciuto sconosciuta ignoto ignota impossibile nessuna nessun boh",
    refusals="""
[io] non [lo|la] so [proprio|davvero|con certezza|la risposta] [{basis}]
[io] non [lo] so (chi|quando|dove|che|cosa|come|se|quale|quali|quanto|quanti|perché) …
boh
non (ho|ne ho) [la minima|nessuna|alcuna|la più pallida] idea
nessuna idea
non (conosco|ho|trovo) [la|una|alcuna|abbastanza|sufficienti|queste|questa] (risposta|informazioni|informazione) [sufficienti|{about}|per …] [{basis}]
non (ci sono|c'è|vi sono) [abbastanza|alcuna|sufficienti|nessuna] (informazioni|informazione|risposta|menzione) [sufficienti] [{about}|per …] [{basis}]
[questo|ciò|la risposta|…] non (è|viene|sono|era) [esplicitamente] {participle} [{basis}]
non {participle} [{basis}]
[la domanda|la risposta|…] non (può|si può) [essere] {verb} [{basis}]
non (posso|riesco a|sono in grado di|è possibile|si può) {verb} [alla domanda|a questa domanda|la risposta|…] [{basis}]
[{basis}] non si (dice|menziona|specifica|indica|sa) [chi …|quando …|dove …|come …|quale …|quanto …|perché …] [{basis}]
(l'autore|l'autrice|il narratore) non [lo|ci] (dice|menziona|specifica|indica|precisa|spiega) [chi …|quando …|dove …|…]
{source} non [lo|la|ne|ci|le] {says} [esplicitamente] [chi …|quando …|dove …|nulla|niente|…]
(sconosciuto|sconosciuta|ignoto|ignota|nessuna risposta|nessuna informazione|impossibile da determinare|impossibile dirlo|impossibile determinarlo) [{basis}]
non (sono|ne sono) (sicuro|sicura|certo|certa)
""",
    fillers="""
(mi dispiace|purtroppo|spiacente|scusa|scusate|mi spiace)
{basis}
[la|mia] risposta [è|finale]
""",
    joints="ma perché poiché e",
    continues="chi quando dove cosa come se quale quali quanto né o e di",
    committing="ma|forse|probabilmente|credo|penso|però|tuttavia|perché",
    pieces={
        "source": "[il|lo|la|l'|questo|questa|nel|del|dal] (testo|brano|passaggio|contesto|articolo|l'articolo|paragrafo|documento|passo) [fornito|dato]",
        "basis": "(in|nel|dal|secondo|in base al|sulla base del|a partire dal|con le informazioni fornite|qui) [{source}|testo|brano|passaggio|contesto]",
        "about": "(su|riguardo a|riguardo|in merito|in merito a|sulla|sul|di|a) […]",
        "says": "(dice|menziona|specifica|indica|fornisce|contiene|nomina|riporta|precisa|spiega|cita|parla|rivela|descrive)",
        "participle": "(specificato|specificata|menzionato|menzionata|indicato|indicata|detto|noto|nota|fornito|fornita|disponibile|chiaro|riportato|determinabile|presente|conosciuto|possibile rispondere|possibile determinarlo)",
        "verb": "(rispondere|dire|determinare|trovare|sapere|aiutare|dirlo|saperlo|determinarlo|risposta|determinata|determinato|stabilire|stabilito|aiutarti|aiutarla)",
    },
)

PORTUGUESE = Language(
    triggers="não desconhecido desconhecida desconheço desconhece impossível nenhuma nenhum sem",
    refusals="""
[eu] não [o] sei [dizer|responder|ao certo|exatamente|a resposta|a resposta para isso] [{basis}]
[eu] não sei [dizer] (quem|quando|onde|que|o que|como|se|qual|quais|quanto|quantos|por que) …
[eu] desconheço [a resposta|…]
[eu] não (faço|tenho) [a menor|a mínima|nenhuma|ideia|essa|esta|a|informações|informação] [ideia|informação|informações|resposta] [suficientes|suficiente|{about}|para …]
sem resposta
(não há|não existe|não existem|não tenho|não encontrei|não foi encontrada) [nenhuma|informação|informações|suficiente|suficientes|menção|resposta] [informação|informações|menção|resposta] [suficiente|suficientes] [{about}|para …] [{basis}]
[isso|isto|a resposta|…] não (é|foi|está|são) [explicitamente] {participle} [{basis}]
[isso|isto|a resposta|…] não (consta|aparece|está) {basis}
não se sabe [quem …|quando …|onde …|…]
não {participle} [{basis}]
[a pergunta|a resposta|isso|…] não pode ser (respondida|determinada|determinado|respondido) [{basis}]
não (posso|consigo|é possível|dá para|sou capaz de) {verb} [a essa pergunta|a pergunta|a resposta|isso|…] [{basis}]
(o autor|a autora|o narrador) não [o|nos] (diz|menciona|especifica|indica|informa|explica) [quem …|quando …|onde …|…]
{source} não [o|a|nos] {says} [isso|isto|explicitamente|nada|quem …|quando …|onde …|…]
(desconhecido|desconhecida|não se aplica|nenhuma informação|nenhuma resposta|impossível determinar|impossível dizer|impossível saber) [{basis}]
não tenho certeza
""",
    fillers="""
(desculpe|desculpa|lamento|infelizmente|sinto muito|me desculpe|perdão)
{basis}
[a|minha] resposta [é|final]
""",
    joints="mas porque pois e que",
    continues="quem quando onde como se qual quais quanto nem ou e de",
    committing="mas|talvez|provavelmente|acho|acredito|porém|contudo|porque|embora",
    pieces={
        "source": "[o|a|este|esta|esse|essa|no|do|na|da] (texto|passagem|trecho|contexto|artigo|parágrafo|documento|excerto) [fornecido|dado|acima|fornecida]",
        "basis": "(em|no|na|do|segundo|de acordo com|com base em|com base no|a partir do|pelo|aqui) [{source}|texto|trecho|contexto|passagem]",
        "about": "(sobre|a respeito de|a respeito|acerca de|de|do|da|quanto a) […]",
        "says": "(diz|menciona|especifica|indica|fornece|contém|nomeia|informa|revela|explica|cita|fala|dá|descreve|responde|esclarece)",
        "participle": "(mencionado|mencionada|especificado|especificada|informado|informada|indicado|dito|conhecido|conhecida|fornecido|fornecida|disponível|claro|citado|encontrado|encontrada|respondida|dado)",
        "verb": "(responder|dizer|determinar|encontrar|saber|ajudar|afirmar|informar|ajudá lo|ajudar com isso)",
    },
)

DUTCH = Language(
    triggers="niet geen onbekend onduidelijk onmogelijk nergens",
    refusals="""
[dat|het] [ik] weet [ik] [het|dat|het antwoord] [helaas|echt] niet [zeker] [{basis}]
[ik] weet [het] niet (wie|wanneer|waar|wat|hoe|of|welke|welk|waarom|hoeveel) …
[ik heb] geen (idee|flauw idee|informatie|antwoord|informatie hierover) [{about}] [{basis}]
[er is|er staat|er zijn] [{basis}] (geen|niet genoeg|onvoldoende) (informatie|antwoord|gegevens|vermelding) [{about}|om …] [{basis}] [beschikbaar]
[dat|dit|het|het antwoord|…] (staat|wordt|is|kan|blijkt) [{basis}] niet [expliciet] [{basis}] {participle} [worden] [{basis}]
[dat|dit|het|het antwoord|…] (staat|is|blijkt) [{basis}] niet {basis}
niet {participle} [{basis}]
(dat|dit|het) staat er niet (in|bij)
de (auteur|schrijver|verteller) (vermeldt|noemt|zegt|vertelt) [het|dit|dat|…] niet [wie …|wanneer …|waar …|wat …|…]
{source} (vermeldt|noemt|zegt|geeft|bevat|beschrijft|vertelt) [het|dit|dat|dit niet|…] (niet|geen) [wie …|wanneer …|waar …|wat …|…]
{source} (vermeldt|noemt|zegt|geeft|bevat) (niet|geen|niets) […]
[ik] kan [ik] [deze|die|de|dit|dat|het|u|je|daar] [vraag] [helaas] [{basis}] niet [mee] (beantwoorden|zeggen|bepalen|helpen|vinden)
(onbekend|onduidelijk|geen antwoord|geen informatie|geen idee|niet te bepalen|niet te zeggen) [{basis}]
[ik ben] [er] niet zeker [van]
""",
    fillers="""
(sorry|helaas|het spijt me|excuses|het spijt mij)
{basis}
[het|mijn] antwoord [is|luidt]
""",
    joints="maar omdat want en",
    continues="wie wanneer waar wat hoe of welke waarom en om",
    committing="maar|misschien|waarschijnlijk|ik denk|ik geloof|mogelijk|omdat|echter",
    pieces={
        "source": "[de|het|deze|dit] [gegeven|bovenstaande|verstrekte] (tekst|passage|context|artikel|alinea|document|fragment)",
        "basis": "(in|uit|volgens|op basis van|aan de hand van|hier) [{source}]",
        "about": "(over|hierover|daarover|van) […]",
        "participle": "(vermeld|genoemd|bekend|gegeven|beschikbaar|duidelijk|gespecificeerd|beantwoord|bepaald|vastgesteld|aangegeven|te vinden|te beantwoorden|te bepalen|gezegd)",
    },
)

POLISH = Language(
    triggers="nie brak nieznany nieznana nieznane niewiadomo nieokreślone",
    refusals="""
[ja] [tego] nie (wiem|znam odpowiedzi) [tego|niestety] [kto …|kiedy …|gdzie …|co …|jak …|czy …|jaki …|dlaczego …]
[to] nie wiadomo [kto …|kiedy …|gdzie …|co …|…]
nie mam pojęcia
nie mam (informacji|takich informacji|wystarczających informacji|tych informacji) [na ten temat|o …]
brak (informacji|odpowiedzi|danych|wzmianki) [na ten temat|o …|w …] [{basis}]
(nie ma|w tekście nie ma|tekst nie zawiera) (informacji|odpowiedzi|wzmianki|wystarczających informacji) [na ten temat|o …|na …] [{basis}]
{source} [tego|o tym|nam] nie (podaje|mówi|wspomina|określa|zawiera|wymienia|precyzuje|wskazuje|wyjaśnia) [tego|o tym|kto …|kiedy …|…]
[tego|{basis}|to|…] nie (podano|wspomniano|określono|jest podane|zostało podane|jest znane|jest znany|jest określone|jest wspomniane|można określić|można ustalić|można odpowiedzieć|można stwierdzić|da się określić|da się stwierdzić) [{basis}] [kto …|…]
nie (mogę|jestem w stanie|można|da się|potrafię) (odpowiedzieć|określić|stwierdzić|ustalić|pomóc|tego powiedzieć) [na to pytanie|na to|tego|w tym|…] [{basis}]
(nieznany|nieznana|nieznane|nieokreślone)
nie jestem (pewien|pewna)
""",
    fillers="""
(przepraszam|niestety|przykro mi)
{basis}
[moja] odpowiedź
""",
    joints="ale bo ponieważ i gdyż",
    continues="kto kiedy gdzie co jak czy jaki jaka dlaczego ani lub i",
    committing="ale|może|prawdopodobnie|myślę|chyba|jednak|ponieważ|sądzę",
    pieces={
        "source": "[podany|ten] (tekst|fragment|kontekst|artykuł|akapit|dokument|tekście|tekstu)",
        "basis": "(w|z|na podstawie|według|we) [podanym|podanego|tym|tego|powyższego] (tekście|tekstu|fragmencie|fragmentu|kontekście|kontekstu|artykule|artykułu|akapicie)",
    },
)

RUSSIAN = Language(
    triggers="недостаточно не нет неизвестно неизвестен неизвестна невозможно неясно нельзя затрудняюсь",
    refusals="""
[я] [этого|точно|к сожалению] не (знаю|уверен|уверена|помню) [этого|ответа|ответ|точно] [на этот вопрос] [кто …|когда …|где …|что …|как …|какой …|почему …|сколько …]
[у меня] (нет|недостаточно) [достаточной|достаточно|такой|этой|этих] (информации|данных|ответа|сведений) [об этом|о …|для …|на …] [{basis}]
понятия не имею
ответ не (найден|указан|дан|известен)
затрудняюсь ответить
{basis} [об этом|этого|про это|ничего|это|об …|о …] [об этом] не (сказано|говорится|указано|упоминается|упомянуто|указан|указана|сообщается|упомянут|упомянута|написано|содержится|указывается) [кто …|когда …|где …|…]
{basis} (этого|такого|ответа|ничего об этом) нет
автор [об этом|этого] не (указывает|говорит|упоминает|сообщает|уточняет|называет) [этого|об этом|кто …|когда …|где …|что …|…]
{basis} (нет|отсутствует|недостаточно) (информации|данных|сведений|упоминания|ответа|информация) […]
[это|этого|…] не (сказано|говорится|указано|упоминается|упомянуто|указан|указана|известно|известен|известна|сообщается|ясно) [{basis}] [кто …|когда …|…]
{source} [об этом|этого] не (содержит|говорит|упоминает|сообщает|указывает|отвечает|уточняет|даёт) […]
недостаточно (информации|данных|сведений) [для …|{basis}]
(неизвестно|неизвестен|неизвестна|неясно|не известно|нет ответа|нет информации|нет данных|нет сведений|информация отсутствует) [{basis}] [кто …|когда …|где …|…]
(невозможно|нельзя|не могу|не удалось|не представляется возможным|я не могу|мы не можем) [точно] (определить|ответить|сказать|установить|найти|помочь|найти ответ|дать ответ|узнать) [на этот вопрос|на вопрос|это|ответ|с этим|…] [{basis}]
""",
    fillers="""
(извините|к сожалению|простите|сожалею|увы|мне жаль)
{basis}
[мой|краткий] ответ
""",
    joints="но потому так поскольку и а так как",
    continues="кто когда где что как какой какая почему сколько ни или и чей кому",
    committing="но|может|возможно|вероятно|думаю|наверное|однако|потому|скорее",
    pieces={
        "source": "[данный|этот|предоставленный] (текст|отрывок|контекст|фрагмент|абзац|документ)",
        "basis": "(в|из|согласно|на основе|исходя из|по) [данном|данного|этом|этого|предоставленном|предоставленного|приведённом|приведенном] (тексте|текста|отрывке|отрывка|контексте|контекста|фрагменте|фрагмента|статье|статьи|абзаце|тексту|отрывку|статья|документе)",
    },
)

UKRAINIAN = Language(
    triggers="не немає невідомо неможливо",
    refusals="""
[я] [цього|на жаль] не знаю [цього|відповіді] [хто …|коли …|де …|що …|як …]
[{basis}] [про це|це|цього|…] не (сказано|зазначено|згадується|згадано|вказано|відомо|йдеться) [{basis}]
невідомо [{basis}]
немає (відповіді|інформації|даних) [про …|{basis}]
(неможливо|не можу) (визначити|відповісти|сказати|встановити) […]
""",
    fillers="""
(вибачте|на жаль|перепрошую)
{basis}
відповідь
""",
    joints="але бо тому і",
    continues="хто коли де що як",
    committing="але|може|можливо|мабуть|думаю",
    pieces={"basis": "(в|у|з|із|згідно з) [цьому|даному|цього] (тексті|тексту|уривку|уривка|контексті|статті)"},
)

SCANDINAVIAN = Language(
    triggers="inte ikke vet ved okänt ukjent ukendt ingen aning",
    refusals="""
[det] [jag|jeg] (vet|ved) [jag|jeg] [det|svaret|desværre|tyvärr|dessverre] (inte|ikke) [vem …|hvem …|när …|når …|hvornår …|var …|hvor …]
[jag har|jeg har] ingen (aning|anelse|idé|information|informasjon)
[det|svaret|dette|detta|…] (nämns|anges|framgår|nevnes|oppgis|nævnes|fremgår) (inte|ikke) [{basis}]
[det|svaret|dette|detta|…] (er|är|står) (inte|ikke) (angivet|nämnt|oppgitt|nevnt|oplyst|nævnt|känt|kjent|kendt|{basis}) [{basis}]
(inte|ikke) (nämnt|angivet|oppgitt|nevnt|nævnt|oplyst|kjent|kendt|känt) [{basis}]
[den|denne] (texten|teksten|artikeln|artikkelen|artiklen|avsnittet) (nämner|säger|anger|nevner|sier|oppgir|nævner|siger|oplyser) [det|…] (inte|ikke) [vem …|hvem …|…]
(okänt|ukjent|ukendt)
[jag|jeg] kan [jag|jeg] [det|dette|tyvärr] (inte|ikke) (svara|svare|besvara|besvare|hjälpa|hjelpe) […]
[det] [finns|finnes|er] ingen (information|informasjon|oplysninger) […]
""",
    fillers="""
(tyvärr|dessverre|desværre|förlåt|beklagar|beklager|ursäkta|undskyld|unnskyld|jag är ledsen)
{basis}
(svar|svaret)
""",
    joints="men eftersom fordi och og",
    committing="men|kanske|kanskje|måske|troligen|sannolikt|tror|eftersom|fordi",
    pieces={
        "basis": "(i|enligt|ifølge|av|af) [den] (texten|teksten|artikeln|artikkelen|artiklen|avsnittet|sammanhanget)"
    },
)

GREEK = Language(
    triggers="δεν άγνωστο άγνωστος",
    refusals="""
[εγώ] δεν (ξέρω|γνωρίζω|είμαι σίγουρος|είμαι σίγουρη) [την απάντηση|ποιος …|πότε …|πού …|τι …]
[αυτό|…] δεν (αναφέρεται|δίνεται|προσδιορίζεται|διευκρινίζεται|μπορεί να απαντηθεί|μπορεί να προσδιοριστεί) [{basis}]
το (κείμενο|απόσπασμα) δεν (αναφέρει|λέει|δίνει|περιέχει|διευκρινίζει) […]
(άγνωστο|άγνωστος|άγνωστη)
δεν υπάρχουν [αρκετές] πληροφορίες [για …|{basis}]
δεν μπορώ να (απαντήσω|βοηθήσω) […]
""",
    fillers="""
(συγγνώμη|λυπάμαι|δυστυχώς)
{basis}
απάντηση
""",
    joints="αλλά γιατί και",
    committing="αλλά|ίσως|μάλλον|πιθανώς|γιατί|νομίζω",
    pieces={"basis": "(στο|από το|σύμφωνα με το|με βάση το) (κείμενο|απόσπασμα|άρθρο)"},
)

EUROPEAN = Language(
    triggers="en tiedä nevím neviem nu știu nem tudom знам ne znam ismeretlen necunoscut tuntematon neznámé неизвестно не není nie nije neuvádí ei tuntematon",
    refusals="""
[minä] en tiedä [vastausta|…]
tekstissä ei (kerrota|mainita|sanota) [sitä|tätä|asiaa|…]
teksti ei (kerro|mainitse|sano) [sitä|tätä|asiaa|…]
(tuntematon|ei tiedossa|ei mainita tekstissä|sitä ei mainita tekstissä)
[já|to] (nevím|neviem) [to] [kdo …|kdy …|kto …|kedy …]
(v textu|v texte) [to|se|sa] (není uvedeno|nie je uvedené|neuvádí|neuvádza|to není uvedeno)
(není|nie je) (uvedeno|uvedené|známo|známe) [v textu|v texte]
(neznámé|neznámý)
[eu] nu (știu|stiu|cunosc răspunsul) [cine …|când …]
(necunoscut|nu este menționat|nu se menționează|nu se precizează) [în text]
[én|ezt] nem tudom [a választ|ki …|mikor …]
(ismeretlen|a szöveg nem említi|nem szerepel a szövegben|nem ismert)
[аз|ја|не] не знам [отговора]
не е (посочено|споменато|известно) [в текста]
[ja] ne znam [odgovor]
(nije navedeno|ne spominje se) [u tekstu]
""",
    fillers="""
(anteeksi|valitettavasti|bohužel|bohužiaľ|promiňte|îmi pare rău|din păcate|sajnálom|sajnos|bocsánat|съжалявам|žao mi je|nažalost)
(vastaus|odpověď|odpoveď|răspuns|răspunsul|válasz|отговор|odgovor)
""",
    joints="mutta ale dar de но",
    committing="mutta|ale|dar|de|но|ehkä|možná|poate|talán|може",
)
