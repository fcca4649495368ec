"""Refusals in English. Words are written in full ("do not"): contractions are expanded before they are compared."""

# ruff: noqa: E501 - one phrase a line

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from promptrial.scoring.refusal_table.language import Language

__all__ = ["CONTRACTIONS", "ENGLISH"]

CONTRACTIONS: Final[Mapping[str, str]] = {
    **{f"{verb}nt": f"{verb} not" for verb in ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had")},
    **{f"{verb}nt": f"{verb} not" for verb in ("could", "would", "should", "might", "need")},
    "cant": "cannot",
    "wont": "will not",
    "im": "i am",
    "ive": "i have",
    "youve": "you have",
    "theres": "there is",
    "thats": "that is",
    "whats": "what is",
    "theyre": "they are",
    "youre": "you are",
    "dunno": "do not know",
    "idk": "i do not know",
}
"""English contractions, without their apostrophes. ``its`` is left alone: it is a possessive too."""

_ENGLISH_PIECES: Final = {
    "say": (
        "(say|state|mention|specify|indicate|tell|explain|reveal|disclose|clarify|note|show|report|record|confirm)"
    ),
    "give": (
        "(mention|contain|provide|include|specify|discuss|identify|name|describe|give|list|address|state"
        "|answer|indicate|explain|reveal|have|cover|define|disclose|refer to|supply|offer|report|record"
        "|detail|clarify|elaborate on|touch on|touch upon|talk about|speak of|speak about|deal with"
        "|comment on|establish|confirm|go into|present|show|note|make clear|make it clear|support|tell"
        "|quantify|say anything about|say much about|say a lot about)"
    ),
    "gives": (
        "(mentions|contains|provides|includes|specifies|discusses|identifies|names|describes|gives|lists"
        "|addresses|states|answers|indicates|explains|reveals|says|tells|covers|defines|discloses"
        "|refers to|reports|records|clarifies)"
    ),
    "adverb": (
        "(really|honestly|genuinely|absolutely|simply|just|still|actually|truly|currently|also|definitely|sadly|personally|unfortunately"
        "|frankly|directly|explicitly|clearly|specifically|exactly|even|necessarily|quite|fully|yet|completely"
        "|entirely|particularly|reliably|accurately|confidently|definitively|precisely|expressly|readily|either)"
    ),
    "kind": (
        "(given|provided|above|supplied|following|accompanying|current|available|same|short|reference|input|source"
        "|attached|quoted|retrieved|entire|whole|search|limited|text|context|background)"
    ),
    "vague": "(material|materials|sources|data|page|content|details|facts|section|results)",
    "given": (
        "((that|which) (was|is|were|are|you have|you|i was|i have been|i am|has been) (provided|given|shared|supplied)"
        "|you provided|you have provided|you gave|you gave me|you shared|i was given|i have|provided|given|above"
        "|supplied|alone|itself|only|below|as given|as written|as provided|at hand|available)"
    ),
    "source": (
        "[the|this|that|your|these|those|any of the|all of the|a|our] [{kind}] [{kind}] (passage|passages|text|texts"
        "|context|contexts|paragraph|paragraphs|article|articles|document|documents|excerpt|excerpts|information"
        "|source|story|snippet|extract|{vague}) [{given}] [alone|to me|by you]"
        "|what (is|was|you have|you) (given|provided|written|shared)"
    ),
    "passage": (
        "([the|this|that|your|these|those|any of the|all of the|a|our] [{kind}] [{kind}] (passage|passages|text|texts"
        "|context|contexts|paragraph|paragraphs|article|articles|document|documents|excerpt|excerpts|information"
        "|source|story|snippet|extract) [{given}]"
        "|[the|this|that|your|these|those] {kind} [{kind}] {vague} [{given}]"
        "|(the|this|that|your|these|those) {vague} {given}"
        "|what (is|was|you have|you) (given|provided|written|shared))"
    ),
    "teller": "the (author|authors|writer|narrator)",
    "basis": (
        "[based|judging|going|relying] [only|solely|purely|just|anywhere|explicitly|directly|exclusively|strictly]"
        " (upon|on|from|in|within|by|with|using|given|per|through|considering|according to|in light of|anywhere in)"
        " {source}|here|anywhere|from it|from this|in it"
    ),
    "question": "(the|this|that|your|such a) [specific|particular|exact] (question|query|request|prompt)",
    "exact": (
        "(definite|definitive|exact|correct|specific|precise|accurate|right|full|clear|direct|reliable|confident"
        "|complete|proper|factual|meaningful|final|short|good|relevant|suitable|satisfactory)"
    ),
    "answer": "(the|an|any|a|my) [{exact}] [{exact}] answer [(to|for) (that|this|it|{question})]",
    "fact": (
        "[the|this|that|any|such|enough|sufficient|much|more|further|these|those|an|a] [requested|required|necessary"
        "|relevant|specific|particular|exact|needed|additional|further|precise|detailed|kind of|type of|such|other"
        "|certain|adequate|proper|concrete] [requested|required|necessary|relevant|specific|background|personal]"
        " (information|info|detail|details|data|fact|facts|knowledge|context|specifics|evidence)"
        " [that is|that was|i] [needed|required|necessary|available|need|would need]"
    ),
    "object": (
        "(it|this [one]|that [one]|these|those|either|one|anything [else|more|further|useful]|{question}|{answer}|{fact})"
        " [about (it|this|that|him|her|them)]"
    ),
    "subject": (
        "(it|this|that|which|{question}|{answer}|{fact}|the requested (fact|name|date|number|answer)|such a thing)"
    ),
    "sure": (
        "(for sure|for certain|with certainty|with any certainty|with confidence|at this time|yet|at all|offhand"
        "|exactly|precisely|right now|at the moment|definitively|either|anymore)"
    ),
    "wh": "([in|at|on|by|for|from|to|with|of] (who|whom|whose|what|when|where|which)|why|how|whether|if)",
    "clause": "{wh} [not] […]",
    "about": (
        "(about|of|on|regarding|concerning|as to|with regard to|with respect to|related to|relating to|pertaining to) …"
    ),
    "ending": (
        "[(to|for) [me to] [be able to] [adequately|properly|fully|accurately|definitively|confidently|reliably]"
        " (answer|answering|say|tell|determine|determining|know|give|provide|respond|respond to|make)"
        " [{object}|{clause}|a determination|…]] [{basis}] [(due to|owing to|because of) [a|the] (lack of|insufficient|limited|missing) {fact}] [{sure}]"
        " [[i am] sorry|unfortunately|i am afraid|though|tbh|here]"
    ),
    "ending_to": "(to|for) (answer|answering|say|tell|determine|know|be sure) [{object}|{clause}|…]",
    "stated": (
        "(stated|mentioned|specified|given|provided|indicated|disclosed|listed|described|named|identified|discussed"
        "|addressed|explained|revealed|recorded|reported|noted|included|contained|found|available|present|supplied"
        "|covered|detailed|defined|answered|shown|clarified|documented|said|known|clear|referenced|told|made clear|determinable|needed"
        "|something {source} (says|mentions|states|covers|addresses|discusses|answers))"
    ),
    "told": "(mentioned|stated|specified|given|provided|indicated|disclosed)",
    "said": (
        "({told}|named|identified|discussed|addressed|explained|described|revealed|reported|noted|known|clear|said"
        "|referenced|made clear|documented|listed|recorded|answered|determinable"
        "|something {source} (says|mentions|states|covers|addresses|discusses|answers))"
    ),
    "unknown": (
        "(unknown|unclear|unanswerable|not answerable|not known|not clear|uncertain|not certain|undetermined"
        "|indeterminate|indeterminable|unspecified|unstated|undisclosed|not applicable|unmentioned|unanswered|undeterminable|unascertainable|unverifiable|unidentified)"
    ),
    "word": (
        "(information|info|mention|mentions|reference|references|detail|details|data|indication|statement|context"
        "|answer|answers|description|specifics|explanation|discussion|facts|clue|clues|clarity)"
    ),
    "no": (
        "(no|not enough|not sufficient|insufficient|not any|inadequate|not much|too little|little|no such|limited)"
        " [{exact}|further|explicit|direct|specific|additional|other|reliable|sufficient|available|background]"
    ),
    "after_word": (
        "(about|of|on|regarding|concerning|as to|to|in|for|that|which|related to|from|within|indicating|here"
        "|with (regard|respect) to|specifying|describing|identifying|suggesting|stating|linking|{wh}) […]"
    ),
    "find_out": (
        "(answer|say|tell|determine|find|find out|provide|give|know|verify|confirm|identify|locate|specify|infer"
        "|deduce|recall|remember|establish|ascertain|conclude|pinpoint|discern|state|name|be sure|be certain|be sure of"
        "|derive|extract|retrieve|comment on|speculate on|speculate about|speculate|see|figure out|work out|offer"
        "|address|judge|decide|respond|respond to|guess|comment)"
    ),
    "serve": (
        "(help|assist|comply|help you|assist you|engage|fulfill|fulfil|discuss|share|do|support|provide|answer"
        "|proceed|continue)"
    ),
    "unable": (
        "[{adverb}] (cannot|could not|can not|am unable to|am not able to|was unable to|was not able to|are unable to|are not able"
        " to|were unable to|were not able to|will not be able to|would not be able to|am not in a position to|have not"
        " been able to|have been unable to|failed to|cannot currently|cannot really) [{adverb}]"
    ),
    "self": "(i|we)",
    "reader": "(i|we|one)",
    "fails": (
        "[{adverb}] (does not|do not|did not|fails to|fail to|failed to|neglects to|does not (seem|appear) to"
        "|do not (seem|appear) to|cannot|has not|is not going to) [{adverb}] [{adverb}]"
    ),
    "way_bare": "(way|means|basis) (to|of|for) (know|knowing|tell|telling|determine|determining|say|saying|find|verify)",
    "be": "(is|are|was|were|remains|remain|has been|have been)",
}

_ENGLISH_REFUSALS: Final = """
[{self}] [{adverb}] do not [{adverb}] know [{object}] [{sure}] {ending}
[{self} have|{self} really have|{self} honestly have] (no|not a|not the (faintest|slightest|foggiest)) [real] (idea|clue) [at all|whatsoever|tbh]
[absolutely|really] no (idea|clue) [at all|whatsoever]
[{self}] have not (a|any|the faintest|the slightest|got a|got any|got the faintest) (idea|clue)
[{self}] [{adverb}] do not [{adverb}] (have|possess) ({object}|(an|any|a|the) [real] (idea|clue|opinion|answer|way to know)) {ending}
{self} have ({no} [{fact}|answer|knowledge|access]) {ending}
{self} lack {fact} {ending}
{self} (have|found|find|see) {no} {word} {ending}
[{self} am|we are] [{adverb}] (not [{adverb}] (sure|certain)|unsure|uncertain) [about|of] [{object}] {ending}
({reader} {unable}|cannot|could not|unable to|not able to|failed to|impossible to) [{adverb}] {find_out} [you] [{object}] {ending}
({self} {unable}|{self} will not|cannot|unable to|not able to) {serve} [you] [[with|on|to] (that|this|it|such [a|an] request|such requests|{question}|that [kind|type] of request|that topic)] {ending}
{self} (must|have to|need to|will have to) decline [to (answer|respond|comment|say)] [{object}] {ending}
[{self}] decline to (answer|respond|comment|say) [{object}] {ending}
({self} would rather|{self} prefer|{self} would prefer|id rather|id prefer) not [to] (say|answer|comment|guess) [{object}]
{self} (would|will) not (know|say|answer|guess|speculate) [{object}] {ending}
{self} do not (recall|remember|see|find) [{object}|{no} {word}] {ending}
your guess is as good as mine
beats me
{subject} {be} [{adverb}] [{adverb}] ({unknown}|not {basis}) {ending}
{subject} ({be} not|is not being|was never|is never|has not been|have not been) [{adverb}] [{adverb}] {stated} {basis} {ending}
{subject} ({be} not|is not being|was never|is never|has not been|have not been) [{adverb}] [{adverb}] {said} {ending}
({question}|{answer}|{fact}) ({be} not|was never|is never|has not been|have not been) [{adverb}] [{adverb}] {stated} {ending}
[currently|still] {unknown} {ending}
not [{adverb}] [{adverb}] {stated} {basis} {ending}
not [{adverb}] [{adverb}] ({said}|found|available) {ending}
not {basis}
none [is|are|was|were] {told} {ending}
(it is|its|it was|that is|this is|it remains|is|remains) [{adverb}] ({unknown}|not {basis}|not [{adverb}] {said}|not [{adverb}] {stated} {basis}) [to me] [{basis}] [{clause}]
{unknown} [{basis}] {clause}
not [{adverb}] {said} [{basis}] {clause}
(it is|its|it was|that is|this is|it would be|is) [{adverb}] (not [{adverb}] possible|impossible|(difficult|hard|tough)) [for me|for us] to {find_out} […]
(not possible|impossible|hard|difficult|tough) to {find_out} [{object}|{clause}] {ending}
[{subject}] (cannot|could not|can not|can neither) be [{adverb}] (determined|answered|found|known|inferred|established|deduced|ascertained|identified|confirmed|verified|derived|concluded|said|told|given|specified|calculated|gleaned) [{basis}] [{clause}] {ending}
[there (is|are|was|were|seems to be|appears to be)|there does not (seem|appear) to be|{self} have|it has|it gives] ({no}|any|not [{adverb}] any) {word} [is|was|are|were|has been|that is|can be|could be] [given|provided|available|found|stated|mentioned|present|possible|included|supplied|determined] {ending}
[there (is|are|was|were|seems to be|appears to be)|there does not (seem|appear) to be] ({no}|any|not any) {word} [{basis}] {after_word}
[there (is|are|was|were)] ({no}|any|not any) {word} [is|was|are|were|that is] (given|provided|available|found|stated|present|included|supplied) [{basis}] ({about}|{clause}|in …|indicating …)
[there (is|are|was|were)] (no|not enough|insufficient) [direct|explicit|specific] evidence {basis} […]
[there is] nothing [that is|is|was] [said|mentioned|stated|written] [is|was] [{basis}] [about|on|that|to|which|regarding|indicates|says|tells|suggests] […] {basis}
there is nothing {basis} […]
nothing {basis} [explicitly|directly] (says|states|indicates|mentions|tells|suggests|shows|answers|addresses|identifies|explains|specifies) […]
there is no {way_bare} {ending}
[there is] no {way_bare} [{clause}]
(no|missing|insufficient|not enough|lacking) (passage|context|text|document|source|data|information|info) [is|was|has been|were] [provided|given|supplied|attached|included|available] {ending}
(information|info|data|answer|details) [is|was|are] (not [{adverb}] {stated}|unavailable|missing|lacking) {ending}
n a
{subject} {be} [{adverb}] (missing|absent|omitted|left out|lacking) (from|in) {source}
{subject} (is|goes|falls|lies) (beyond|outside) [of] [the scope of] [{source}|my knowledge]
(it|which) (does not|did not|never) [{adverb}] (say|says|state|states|specify|mention|mentions|tell|tell us|indicate|explain) [so|{object}|{clause}|that …|anything […]|…]
(it|which) (does not|did not|never) [{adverb}] (answer|address|contain|include|provide) {object}
(it|which) (does not|never) [{adverb}] (name|identify|explain|reveal|describe|disclose) …
(it|which) does not [{adverb}] give ({object}|(the|a|an|any|his|her|its|their) …)
(it|which) (did not|never) [{adverb}] (give|name|identify|explain|reveal|describe|disclose) ({object}|{clause})
{passage} {fails} ({say}|{give}) [us|me|you] [{object}|{clause}] {ending}
{passage} {fails} (say|state|tell us|tell me|tell you|tell|indicate|show|reveal|make clear|make it clear|confirm) [{clause}|that …|anything […]|so]
{passage} {fails} {give} […]
{passage} never [{adverb}] (says|tells us|tells|states|reveals|indicates) [{clause}|that …|anything […]|so]
{passage} never [{adverb}] {gives} […]
does not [{adverb}] (say|state|specify|mention|tell us|indicate|explain) [{clause}|{object}|…]
(does not|fails to) [{adverb}] (say|state|specify|mention|tell us|indicate|identify|name|give|provide|explain|address|cover|discuss|answer) ({clause}|{object})
did not [{adverb}] (say|state|specify|mention|tell us|indicate) [{clause}|it|this|that]
never [{adverb}] (says|states|specifies|mentions|tells us|indicates|explains) [{clause}|{object}|…]
never [{adverb}] (identifies|names|gives) ({clause}|{object})
{passage} (gives|provides|offers|supplies|give|provide|offer) [us|me] (no|not|insufficient|little|not enough|neither) […]
{passage} (contains|has|includes|makes|contain|have|include|make) (no|not|insufficient|little|not enough|neither) [{exact}|specific|explicit|further|direct] {word} [{after_word}]
{passage} {gives} … but not ({clause}|(the|its|his|her|their|any) …)
{passage} (is|are|remains|was|stays) [{adverb}] (silent|not clear|unclear|not explicit|not specific|vague|ambiguous|insufficient|not sufficient|incomplete|inconclusive) [(on|about|regarding|as to|to|enough|for|in|concerning) …|{clause}]
{passage} (lacks|lack|omits|omit) […]
({passage}|it) (says|tells us|tell us|say|mentions|states) (nothing|little|very little|not much) [(about|on|of|regarding|concerning|more|else) […]]
{passage} (is|are|was) not [nearly] (enough|sufficient|adequate|clear) [(to|for|about|on) …]
(this|that|it) is not something [that] (i|we|{source}) (know|know about|can answer|can tell|can say|can help with|says|mentions)
{passage} leaves [it|this|that|{question}|…] (open|unclear|unanswered|unstated|unsaid|unspecified|unnamed)
{subject} (is|was) left (open|unclear|unanswered|unstated|unsaid|unspecified)
nothing (is|was) (said|mentioned|stated|written|given|known) ((about|of|on|regarding) …|{clause})
(information|info|details|data) … (is|are) not [{adverb}] {stated} [{basis}]
(information|info|data|details|answer) (missing|unavailable|not available)
there is no telling [{clause}]
(it is|its|that is) (anyones|anybodys) guess [{clause}]
({self}|id|{self} would|id also) (need|require) (more|additional|further) (information|context|details|data) [{ending_to}|(about|on) …]
(more|additional|further) (information|context|details|data) (is|are|would be) (needed|required|necessary) {ending_to}
{self} (do not|cannot|did not) understand [{object}]
{self} do not (think|believe) [that] {source} {gives} […]
{self} do not (think|believe) [that] {subject} is {stated} [{basis}]
{self} do not (think|believe) [that] {self} can (answer|say|tell|help|determine|know) […]
[there is|there are] no … (mentioned|stated|specified|named|listed|identified) [{basis}]
there is no … (given|provided|indicated) [{basis}]
{self} am not (qualified|in a position|equipped) to {find_out} [{object}]
"""

_ENGLISH_UNTITLED: Final = """
{self} (have not been|was not|were not|am not|are not) (given|provided with|provided|told) {fact} {ending}
nowhere ({basis}|in it) (is|are|was|were) … {stated}
nowhere (does|do) {source} (say|state|mention|give|tell|specify|name) […]
… (is|are) nowhere {stated} [{basis}]
[the|its|his|her|their|exact] (name|owner|year|date|author|location|place|age|reason|cause|number|price|amount|time|builder|identity|title|person|value|month|day|source|details) (not [{adverb}] ({told}|known|available|found)|unknown|unclear|unspecified) [{basis}]
[{self}] [{adverb}] do not [{adverb}] know [{sure}] {clause}
[{self}] [{adverb}] do not [{adverb}] know (anything|much|a lot|enough|any [more] (details|information|facts)) [{about}|to …] {ending}
[{self}] [{adverb}] do not [{adverb}] know the (name|date|year|number|reason|identity|exact [date|number|year]|location|cause|details|author|owner|capital) […]
[{self} have] (no|not a|not the (faintest|slightest)) (idea|clue) ({clause}|{about})
{self} do not have (an|any|a|the) (idea|clue) ({clause}|{about})
[{self} am|we are] [{adverb}] (not [{adverb}] (sure|certain|aware|familiar)|unsure|uncertain|unaware|unfamiliar) ({clause}|(about|of|with) …)
({reader} {unable}|unable to|not able to|cannot|could not) [{adverb}] {find_out} [you] [{sure}] {clause}
{reader} {unable} [{adverb}] (determine|find|provide|verify|confirm|identify|locate|specify|infer|deduce|ascertain|establish|pinpoint|comment on|access|retrieve) […]
(unable to|not able to|cannot|could not) [{adverb}] (determine|verify|confirm|infer|deduce|ascertain|establish|comment on) […]
(unable to|not able to|cannot|could not) [{adverb}] (find|provide|identify|locate|specify|pinpoint|access|retrieve) … {basis}
you {unable} {find_out} [{sure}] [{object}|{clause}] {basis}
you {unable} {find_out} {clause}
{self} have {no} (information|info|knowledge|data|record|records|details|access|memory|recollection|way|answer|answers) [{about}|to …|of …|in …]
{self} do not have [{fact}|access|knowledge|(any|a|an|the) (record|records|way|memory|answer|answers|ability)] [{about}|to …|in …|that …]
{self} do not have [personal|any personal] (opinions|beliefs|experiences|feelings|preferences)
{self} lack …
{self} (do not|did not|could not) [{adverb}] (see|find|spot|notice|recognise|recognize|recall|remember) (any|anything|the answer|a|an|the|it|that|this|where|who|when|what) […]
{self} (see|saw|found|find|have found) (no {word}|nothing) […]
{self} (see|saw|found|find|have found) no … {basis}
{teller} {fails} (say|mention|state|specify|indicate|tell us|explain|clarify) [{clause}|{object}|…]
{teller} never [{adverb}] (says|mentions|states|specifies|indicates|tells us|explains) [{clause}|{object}|…]
(i am|we are|we were|were|the reader is|readers are) (not|never) [{adverb}] told [{object}|{clause}|the …] [{basis}]
(nobody|no one) [really] knows ({sure}|{clause})
… {be} [{adverb}] not [{adverb}] [{adverb}] {stated} {basis}
… (was|were) never {stated} {basis}
… (is|are) never [{adverb}] ({told}|named|identified) [{basis}]
… (is|are) [{adverb}] not [{adverb}] [{adverb}] ({told}|revealed|listed|named|identified|described|known|clear|disclosed|included)
… (was|were) not [{adverb}] (mentioned|stated|specified|indicated|disclosed)
… (has|have) not been [{adverb}] {told}
… (is|are|remains|remain) [{adverb}] [{adverb}] {unknown} [{basis}|to me|to us]
… (cannot|could not) be [{adverb}] (determined|answered|inferred|ascertained|deduced|established) {ending}
… (cannot|could not) be [{adverb}] (found|identified|known|confirmed|verified|located) {basis}
… {be} (missing|absent|omitted|left out|lacking) from {source}
… (is|goes|falls|lies) (beyond|outside) [of] (the scope of {source}|what {source} {gives})
neither … nor … (is|are) [{adverb}] {told} [{basis}]
no … (is|are|was|were) [{adverb}] (mentioned|stated|specified|given|provided|named|listed|identified) [{basis}]
"""

_ENGLISH_FILLERS: Final = """
[{self} am|we are] [very|so|really|truly|terribly] (sorry|afraid) [that|for that|for this|about that]
sorry [about that|for that|that]
{self} [must|sincerely|do] (apologise|apologize) [for that|for this|for the inconvenience|that]
[my|our] [sincere|deepest] apologies
(unfortunately|regrettably|sadly|alas)
{self} regret [to (say|inform you)] [that]
[{self} am|we are] [just|only] an ai [language] [model|assistant]
as (an ai|a language model|an ai model|a large language model|an assistant) [language] [model|assistant] [created by […]]
{basis} [that (was|is) provided|{self} have]
[in|as] (response|answer) [to {question}]
(well|hmm|hm|um|uh|ah|oh|ok|okay|honestly|frankly|actually|sure|alas|oops|yes|hello|hi|in short|in summary|overall)
{self} (wish|wished) {self} (knew|could [help|say|tell you|answer])
[{self}] (would|id) (love|like|be happy|be glad) to (help|answer|assist) [you|that|this|{question}]
nope
to be (honest|fair|frank|clear|sure)
to tell the truth
in all honesty
as far as {self} (know|can tell|can see|am aware)
to (my|the best of my) knowledge
{self} (have to|must) (say|admit|confess) [that]
(it|this) (seems|appears) [to me] [that|like|as if]
it looks [like|as if|as though]
{self} (think|believe|would say|am afraid|see|know|understand|notice|find|note|can see|must say|can say|feel) [that]
(after|upon|having) (reading|reviewing|checking|looking at|looking through|examining|searching|read|reviewed|analyzing|analysing|careful review of) [through] [{source}] [carefully|again]
(without|absent) [any|more|further|additional|access to|the|other|some] [other|more|further|specific|additional] (context|information|details|data|information [about …]|evidence|text|passage|document|documents|sources|logs|records)
[please] note [that]
(therefore|thus|so|hence|however|as such|in conclusion|consequently|accordingly|again|also|for this reason|in this case|in that case|still|then|nevertheless|furthermore|additionally)
(thank you|thanks) [for (asking|your question|the question|your interest)]
[(that|this) is] [a|an] (good|great|interesting|tough|difficult|hard) question
let me (think|see|check|look)
(in terms of|as for|regarding|concerning|with regard to) (that|this|{question})
[the|my|a|final|short|brief|direct|correct|best|simple|honest|quick|one word] [final|short|simple|honest|correct|direct] (answer|response|reply|conclusion|verdict|output|result|explanation|reason|reasoning|note|a|ans) [is|would be|here is|to {question} is] [that]
ツ
boxed [text|textbf|mathrm]
(text|textbf|boxed)
"""

_ENGLISH_EXPLANATIONS: Final = """
not …
{question} (asks|is asking|is about|concerns) …
({source}|it|this) [{adverb}] (only|just|merely|simply|solely) […]
(only|just|merely) … (is|are|was|were) [{adverb}] {stated} [{basis}]
{source} (might|may|could|would) …
({source}|it) ({gives}|notes|contains|has) (only|just|merely) […]
({source}|it|this|{question}) [{adverb}] (is|are|was) [{adverb}|mainly|mostly|primarily] (about|on|only about|concerned with|focused on|limited to|unrelated|irrelevant|not related|not relevant|related to|an excerpt|too short|too vague|incomplete|not complete|not about|empty|cut off|ambiguous) […]
({source}|it) [{adverb}|mainly|mostly|primarily] (talks about|discusses|describes|focuses on|deals with|covers|mentions|refers to|concerns|provides information (on|about)|contains information (on|about)|gives information (on|about)|details|explains|introduces|provides details (on|about|of)|talk about|discuss|describe|focus on|mention) …
(more|additional|further|other|extra) (information|context|details|research|data|sources|evidence) (is|are|would be|may be|might be|will be) [needed|required|necessary|helpful|useful] [to …|for …]
({self}|you) (need|would need|require|would require) (more|additional|further|other) (information|context|details|data) [to …|about …|on …]
please (provide|share|clarify|consult|check|refer|let me know|specify|rephrase|give|supply|try|feel|ask|see|include|send|verify|note|contact) […]
(could|can|would) you [please] (clarify|provide|share|specify|rephrase|give|tell me more|explain|supply) […]
all [that] ({source}|it) (says|mentions|tells us|states|gives) is …
(we|i) (are|am) (only|just|merely) (told|given) …
(you|youd|one) [would|will|may|might] have to (look|check|ask|search|consult|read|refer) […]
try (asking|checking|searching|looking|consulting) …
[perhaps|maybe] (you|one) (may|might|could|can|should|would|will) [want to|need to|have to|also|try to|wish to] (check|consult|look up|look for|look at|refer to|search|ask|contact|visit|review|need|find (more|this|that|additional|further|it)|verify|provide) […]
{self} (recommend|suggest|advise|would recommend|would suggest|encourage) (checking|consulting|that you|you|looking|searching|asking|referring|verifying|contacting|reviewing|visiting) […]
if (you|there is|that|it|this) (have|can|could|provide|would|need|want|share|give|is|do|meant|mean|are|any|helps|other) […]
let me know […]
feel free […]
(is there|do you have) (anything|any) […]
how (can|may|else) […]
(i would|{self} am|id|i will|we are|i) [be] (happy|glad|able) to […]
{self} can [only|still|also] (help|answer|assist|use|work|tell you what|provide information|respond) […]
{self} (only|just) (have|know) […]
my (knowledge|training data|training|information|answers|data) […]
{self} [am|was] (designed|trained|an ai|a language model|just an ai|only an ai|limited) […]
(that|this) is (all|everything) [that|what] [{source}|it|{self}] (says|says about it|know|have|mentions)
(hope this|hope that|i hope) helps […]
"""

ENGLISH = Language(
    triggers=(
        "nowhere undeterminable unascertainable unverifiable unidentified need needs needed require required telling anyones anybodys absent adequate beats beyond cannot cant could couldnt decline didnt doesnt dont dunno fail failed fails goes"
        " hard difficult tough idk impossible inadequate inconclusive incomplete indeterminate indeterminable"
        " insufficient isnt arent wasnt werent hasnt havent lack lacking lacks missing n neglects neither never no"
        " nobody none not nothing omit omits omitted outside rather prefer silent unable unaware unanswerable"
        " unanswered unavailable uncertain unclear undetermined undisclosed unfamiliar unknown unmentioned unspecified"
        " unstated unsure vague ambiguous who wont wouldnt guess left leaves little limited"
    ),
    refusals=_ENGLISH_REFUSALS,
    untitled=_ENGLISH_UNTITLED,
    fillers=_ENGLISH_FILLERS,
    explanations=_ENGLISH_EXPLANATIONS,
    joints="because since as and but so however for therefore thus though although while yet or whereas nor",
    continues=(
        "or and nor if including such especially particularly at in on from by during for of to as with within what"
        " where when how why whose beyond other let much only specifically not"
    ),
    committing=(
        "but|however|although|though|yet|likely|probably|perhaps|maybe|possibly|presumably|i think|i believe|i guess"
        "|i assume|my guess|my best guess|i would say|suggests|implies|imply|instead|except|rather|therefore|thus"
        "|because|since|unless|until|so|and it is|and it was|and he is|and he was|and she is|and she was|and they are"
        "|and they were|and that is|and that was"
    ),
    pieces=_ENGLISH_PIECES,
)
