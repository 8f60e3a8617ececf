"""The rules in German, French and Spanish: on cases, in every table, on any text."""

from __future__ import annotations

import pytest

from medassist.safety.language import is_foreign, whose_rules
from medassist.safety.red_flags import find_red_flags
from medassist.safety.red_flags.rule_files import LanguageFile, MeasureFile, read
from medassist.safety.red_flags.rules import english_concepts, is_comparison, rules
from medassist.text.frequencies import frequencies
from tests.safety.language_cases import (
    DOSE,
    FLAGGED,
    IDENTIFIER,
    LANGUAGES,
    SILENT,
    cases,
    wrong,
)

SETS = (
    "seen",
    "aside",
    "later",
    "open",
    "half_open",
    "final_open",
    "broad",
    "kinds",
)
"""What was unseen or sealed is a measure, and no test: the tools print it."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_red_flags_of_the_cases_are_raised(language: str) -> None:
    told = [case for which in SETS for case in cases(language, which)]
    flagged = [case for case in told if case.kind == FLAGGED]
    assert len(flagged) >= 75
    missed = [case.text for case in flagged if wrong(case)]
    assert missed == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", SILENT)
def test_what_is_denied_over_anothers_or_harmless_stays_silent(
    language: str, kind: str
) -> None:
    told = [case for which in SETS for case in cases(language, which)]
    silent = [case for case in told if case.kind == kind]
    assert len(silent) >= 3
    assert [(case.text, wrong(case)) for case in silent if wrong(case)] == []


def test_what_people_write_in_english_is_understood_for_every_flag() -> None:
    told = list(cases("english", "broad"))
    flagged = [case for case in told if case.kind == FLAGGED]
    silent = [case for case in told if case.kind in SILENT]
    assert len(flagged) > 500 and len(silent) > 150
    missed = [case.text for case in flagged if wrong(case)]
    assert len(missed) <= 0.05 * len(flagged), missed
    disturbed = [case.text for case in silent if wrong(case)]
    assert len(disturbed) <= 0.05 * len(silent), disturbed


def test_what_is_written_in_english_is_judged_right() -> None:
    told = [
        case for which in ("final_open", "kinds") for case in cases("english", which)
    ]
    assert len(told) >= 15
    assert [(case.text, wrong(case)) for case in told if wrong(case)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_doses_are_read_and_warned_about(language: str) -> None:
    told = [case for which in SETS for case in cases(language, which)]
    doses = [case for case in told if case.kind == DOSE]
    assert len(doses) >= 10
    assert [(case.text, wrong(case)) for case in doses if wrong(case)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_identifiers_of_the_cases_are_found(language: str) -> None:
    told = [case for which in SETS for case in cases(language, which)]
    marked = [case for case in told if case.kind == IDENTIFIER]
    lost = [wrong(case) for case in marked if wrong(case).startswith("not marked")]
    assert marked and lost == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_shows_the_flags_and_limits_of_the_english_rules(
    language: str,
) -> None:
    theirs, ours = rules(language), rules()
    assert theirs.flags is ours.flags
    assert theirs.limits is ours.limits
    assert theirs.value_flags is ours.value_flags


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("crushing chest pain for two hours, sweating", ("english",)),
        ("Brustschmerzen seit zwei Stunden, schwitzt stark", ("german",)),
        ("douleur dans la poitrine depuis deux heures", ("french",)),
        ("dolor en el pecho desde hace dos horas", ("spanish",)),
        (
            "My wife is pregnant with our second child. Sie hat starke Kopfschmerzen.",
            ("english", "german"),
        ),
    ],
)
def test_the_language_of_a_text_chooses_whose_rules_read_it(
    text: str, languages: tuple[str, ...]
) -> None:
    assert whose_rules(text) == languages
    # What is read less well than English is told.
    assert is_foreign(text) == (languages != ("english",))


@pytest.mark.parametrize(
    "text",
    [
        "Dolore al petto da due ore, suda molto",
        "Dor no peito há duas horas e muito suor",
        "Pijn op de borst sinds twee uur en hij zweet erg",
        "Ból w klatce piersiowej od dwóch godzin",
    ],
)
def test_any_other_language_is_told(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "plötzlich atemnot und brustschmerzen",
        "ploetzlich atemnot und brustschmerzen",
        "PLÖTZLICH ATEMNOT UND BRUSTSCHMERZEN",
        "plotzlich atemnot und brustschmertzen",
    ],
)
def test_umlauts_may_be_spelt_out_or_left_out_and_words_misspelt(text: str) -> None:
    assert "acute-coronary-syndrome" in {flag.id for flag in find_red_flags(text)}


@pytest.mark.parametrize(
    ("text", "by_day"),
    [
        ("zweimal täglich", 2),
        ("3x tgl.", 3),
        ("1-0-1", 2),
        ("alle 8 Stunden", 3),
        ("einmal pro Woche", 1 / 7),
        ("deux fois par jour", 2),
        ("toutes les 8 heures", 3),
        ("matin et soir", 2),
        ("dos veces al día", 2),
        ("cada 12 h", 2),
        ("una vez a la semana", 1 / 7),
    ],
)
def test_how_often_is_read_in_four_languages(text: str, by_day: float) -> None:
    assert [often.by_day for often in frequencies(f"5 mg {text}")] == [by_day]


def test_the_sign_of_thousands_and_of_decimals_is_that_of_the_language() -> None:
    low = find_red_flags("Thrombozyten 8.000, Kalium 7,1, Patientin ist schläfrig")
    assert "laboratory-values" in {flag.id for flag in low}
    assert not find_red_flags("Leukozyten 6.500, Kalium 4,1, der Patientin geht es gut")
    assert not find_red_flags("Patient : GB 7 200, PNN 4 000, CRP 3, tout va bien")


NO_WORDS_OF_ITS_OWN: dict[str, str] = {}
"""Concepts that a language need not put into words, and why."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_concept_of_the_english_rules_has_words_in_each_language(
    language: str,
) -> None:
    said = LanguageFile.model_validate(read(f"languages/{language}.toml"))
    by_words = {
        concept: phrases
        for concept, phrases in english_concepts().items()
        if not all(is_comparison(phrase) for phrase in phrases)
    }
    assert len(by_words) > 400
    mute = [c for c in by_words if not said.concepts.get(c)]
    assert set(mute) == NO_WORDS_OF_ITS_OWN.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_with_a_limit_has_a_name_in_each_language(language: str) -> None:
    said = LanguageFile.model_validate(read(f"languages/{language}.toml"))
    of_all = {"inr", "fibrinogen", "crp", "qrs", "qtc"}
    """What is called the same everywhere."""
    mute = {
        name
        for name, row in MeasureFile.model_validate(
            read("measures.toml")
        ).measures.items()
        if row.alone and not said.names.get(name)
    }
    assert mute <= of_all


ASKED_FOR_LATER = {
    "post-tonsillectomy-bleeding": (
        "Mandeln vor fünf Tagen entfernt, jetzt Blut im Mund",
        "Amygdalectomie il y a 6 jours, saigne de la bouche",
        "Amigdalectomía hace 7 días, sangra por la boca",
    ),
    "mushroom-poisoning": (
        "Er hat Waldpilze gegessen und erbricht seit Stunden",
        "Elle a mangé des champignons sauvages et vomit",
        "Comió setas silvestres y tiene vómitos",
    ),
    "haemoptysis": (
        "Patient hustet seit heute Blut",
        "Patient avec hémoptysie depuis ce matin",
        "Paciente con hemoptisis desde esta mañana",
    ),
    "dangerous-syncope": (
        "Synkope beim Fußballspiel, 17 Jahre, Brugada im EKG",
        "Syncope à l'effort, rétrécissement aortique serré",
        "Mujer con síncope de esfuerzo y estenosis aórtica grave",
        "Sie ist beim Laufen ohnmächtig geworden, ihr Bruder ist mit 20 plötzlich"
        " gestorben",
    ),
}


@pytest.mark.parametrize("flag", ASKED_FOR_LATER)
def test_what_was_asked_for_later_is_raised_in_each_language(flag: str) -> None:
    for text in ASKED_FOR_LATER[flag]:
        assert flag in {found.id for found in find_red_flags(text)}, text


@pytest.mark.parametrize(
    "text",
    [
        "Bilan : kaliémie 4,2, créatinine 80, INR 2,4 sous Previscan dans la cible.",
        "Control: potasio 4,2, creatinina 0,9, INR 2,4 con Sintrom en rango.",
        "Labor: Kalium 4,2, Kreatinin 0,9, INR 2,4 unter Marcumar im Zielbereich.",
        "Ich nehme Paracetamol über den Tag verteilt gegen Rückenschmerzen",
        "Tomo paracetamol repartido durante el día para la artrosis",
        "J'ai pris un Doliprane ce matin pour mon mal de dos",
        "Ich habe zwei Paracetamol genommen, hilft gegen die Rückenschmerzen",
        "Me tomé dos pastillas de paracetamol por la contractura",
        "Occlusion dentaire : faut-il une gouttière chez cet homme de 40 ans ?",
        "Enfant de 6 ans, inhalation de Ventoline deux bouffées, va mieux",
        "Niño de 6 años inhaló salbutamol dos puff, está mejor",
        "Abandonó el tratamiento del acné hace un mes, chico de 15 años.",
        "Niño de 1 año con fractura de clavícula tras caída presenciada",
        "PCR 12, sin fiebre, varón de 40 años con catarro.",
        "Mon bébé ne dort plus la nuit depuis une semaine, il fait ses dents.",
    ],
)
def test_everyday_words_and_values_raise_nothing(text: str) -> None:
    assert not find_red_flags(text)


def test_a_creatinine_in_the_unit_of_french_laboratories_is_read() -> None:
    assert find_red_flags("homme de 50 ans, créatinine 60 mg/L ce matin")


@pytest.mark.parametrize(
    "text",
    [
        "j'ai avalé 30 comprimés de paracétamol il y a deux heures",
        "ich habe zwanzig Paracetamol auf einmal geschluckt",
        "se tomó treinta pastillas de paracetamol hace dos horas",
    ],
)
def test_many_tablets_at_once_are_no_everyday_dose(text: str) -> None:
    assert "paracetamol-overdose" in {flag.id for flag in find_red_flags(text)}


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Er hat drei Blister Paracetamol geschluckt", "paracetamol-overdose"),
        ("heute Abend ist Schluss, ich verabschiede mich", "suicidal-intent"),
        ("auf dem rechten Auge plötzlich gar nichts mehr", "sudden-visual-loss"),
    ],
)
def test_a_danger_is_found_in_plain_words(text: str, flag: str) -> None:
    assert flag in {one.id for one in find_red_flags(text)}


@pytest.mark.parametrize(
    "text",
    [
        "a los 17 intentó suicidarse con pastillas, ahora bien",
        "ROS negative for fever, new weakness, severe headache and haematemesis",
        "List the differences between haemorrhagic and ischaemic stroke on CT",
        "stubbed my toe, can I still go running",
        "das Auge juckt seit der Salbe gar nichts mehr",
    ],
)
def test_what_is_over_denied_or_a_task_raises_nothing(text: str) -> None:
    assert find_red_flags(text) == ()


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("I huast seit gestan a Bluat aussa", "haemoptysis"),
        ("da Papa is zsammbrochn und schnauft nimma", "cardiac-arrest"),
        (
            "s Grosi liit am Bode und schnufet nüme, sie isch ganz blau",
            "cardiac-arrest",
        ),
        ("mei Hois is zuagschwoin nach am Wespnstich", "anaphylaxis"),
    ],
)
def test_a_dialect_is_read_as_the_language_that_it_is_of(text: str, flag: str) -> None:
    assert whose_rules(text) == ("german",)
    assert flag in {one.id for one in find_red_flags(text)}


@pytest.mark.parametrize(
    "text",
    [
        "Quick 18 %, GPT 6800, Ikterus, Flapping Tremor, schläfrig.",
        "Mukoviszidose, massive Hämoptoe, 250 ml",
        "Bili 24 mg/dl am 4. LT, schrilles Schreien, Opisthotonus, trinkschwach",
    ],
)
def test_a_note_of_latin_words_is_read_by_the_rules_of_its_language(text: str) -> None:
    assert "german" in whose_rules(text)


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("Als Kind Meningitis, folgenlos ausgeheilt", False),
        ("Meningitis, sans séquelle, il fait du sport", False),
        ("Meningitis, quedó sin secuelas", False),
        ("Lähmung rechts und lallt seit heute 8 Uhr, hat sich wieder erholt", True),
        ("Wenn jemand ein Stück Fleisch verschluckt und blau anläuft: klopfen?", False),
        ("Quand quelqu'un s'étouffe et devient bleu, que fait-on", False),
        ("Cuando alguien se atraganta y se pone morado, qué se hace", False),
        ("If somebody chokes on meat and turns blue, is it back blows", False),
        ("Mein Vater hat Fleisch verschluckt und läuft blau an", True),
        ("Herzinfarkt: mein Vater hat kalten Schweiß und Druck auf der Brust", True),
        ("Onkel: Herzinfarkt. Pat. beschwerdefrei", False),
        ("Kind trinkt gut, nicht schlapp, spielt", False),
        ("kein Blut im Stuhl, Bauch weich", False),
        ("nene de 2 años, se tragó los imanes de la hermana, hoy", True),
        ("no se desmayó, no está dormida tras el golpe en la cabeza", False),
        ("denies vomiting with blood, black stools", False),
        ("Merkblatt: Hirnhautentzündung beim Säugling", False),
        ("Hoja informativa: meningitis en el lactante", False),
        ("Fiche d'information : méningite du nourrisson", False),
    ],
)
def test_what_healed_or_is_of_anybody_raises_nothing(text: str, raised: bool) -> None:
    assert bool(find_red_flags(text)) is raised


def test_a_german_finding_is_found_wherever_its_verb_stands() -> None:
    for text in (
        "seit einer Stunde hängt ihr der rechte Mundwinkel",
        "sie sagt, dass der rechte Mundwinkel seit einer Stunde hängt",
        "Warum hängt mir seit einer Stunde der Mundwinkel?",
    ):
        assert "stroke-tia" in {flag.id for flag in find_red_flags(text)}, text


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Gebärmutter wie Stein, 34. Woche, Blutung dunkel", "placental-abruption"),
        ("Mutter am Telefon, Bub 5 Wo alt, rektal 38,6", "fever-under-3-months"),
        ("Erst Nabel, jetzt rechter Unterbauch, Appetit weg, 38,2", "appendicitis"),
    ],
)
def test_a_comparison_a_call_and_a_lost_appetite_take_nothing_back(
    text: str, flag: str
) -> None:
    assert flag in {one.id for one in find_red_flags(text)}


@pytest.mark.parametrize(
    "text",
    [
        "Nachtdienst, RR 132/78, P 76, Temp 36,5.",
        "Visus normal, BSG 8, Kopfschmerz seit Jahren, 66 J",
        "Kann vor Aufregung nicht schlafen, sieht ohne Brille verschwommen, 70 J",
        "25. SSW, der Bauch wird manchmal kurz hart, Hebamme zufrieden",
        "Mein Kind will nicht mehr in die Kita",
        "Mein Sohn hat trockene Haut an den Armen",
    ],
)
def test_german_notes_of_nothing_raise_nothing(text: str) -> None:
    assert not find_red_flags(text)
