"""Templates: read from the list, filled in, checked, written for approval."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gupshup.api.drafts import ButtonDraft, TemplateDraft
from gupshup.api.templates import (
    check_params,
    clean_param,
    parse_template,
    placeholders,
    render,
    split_params,
)

ENTRY = {
    "id": "5d1c1d6e-7c5e-4b7b-9a42-0f6f3c1f0a11",
    "elementName": "soldes_ete",
    "languageCode": "fr",
    "category": "MARKETING",
    "status": "APPROVED",
    "quality": "GREEN",
    "templateType": "IMAGE",
    "data": "Bonjour {{1}}, {{2}} % ! | [Voir] | [Stop]",
    "externalId": "778",
    "vertical": "Promotions",
    "modifiedOn": 1791194400000,
    "meta": json.dumps({"example": "Bonjour Léa"}),
    "containerMeta": json.dumps(
        {
            "data": "Bonjour {{1}}, {{2}} % !",
            "footer": "Répondez STOP",
            "mediaUrl": "https://exemple.fr/i.jpg",
            "sampleText": "Bonjour Léa, 20 % !",
            "buttons": [
                {"type": "URL", "text": "Voir", "url": "https://exemple.fr/{{1}}"},
                {"type": "QUICK_REPLY", "text": "Stop"},
                {"type": "PHONE_NUMBER", "text": "Appeler", "phone_number": "+33199000000"},
                {"type": "COPY_CODE", "text": "Copier"},
            ],
        }
    ),
}


def test_a_template_of_the_list_is_read_whole():
    info = parse_template(ENTRY)
    assert info is not None
    assert (info.id, info.name, info.language) == (ENTRY["id"], "soldes_ete", "fr")
    assert (info.category, info.status, info.quality, info.sendable) == ("MARKETING", "APPROVED", "GREEN", True)
    assert info.body == "Bonjour {{1}}, {{2}} % !"
    assert (info.header_type, info.media_url) == ("IMAGE", "https://exemple.fr/i.jpg")
    assert (info.footer, info.sample, info.meta_id) == ("Répondez STOP", "Bonjour Léa, 20 % !", "778")
    assert [button.kind for button in info.buttons] == ["URL", "QUICK_REPLY", "PHONE_NUMBER", "COPY_CODE"]
    assert info.quick_replies == ("Stop",)
    assert info.placeholders == ("1", "2")
    assert info.params_count == 4, "two in the body, one of the URL button, one code"


def test_without_its_container_the_text_loses_the_labels_appended_to_it():
    info = parse_template({**ENTRY, "containerMeta": "not JSON", "templateType": "TEXT"})
    assert info is not None
    assert (info.body, info.params_count, info.sample) == ("Bonjour {{1}}, {{2}} % !", 2, "Bonjour Léa")


def test_a_text_header_counts_first():
    content = json.dumps({"data": "Bonjour {{1}}", "header": "Pour {{1}}"})
    info = parse_template({**ENTRY, "templateType": "TEXT", "containerMeta": content})
    assert info is not None
    assert (info.header_type, info.header_text, info.params_count) == ("TEXT", "Pour {{1}}", 2)
    assert split_params(info.header_text, info.body, ["Léa", "toi", "x"]) == (["Léa"], ["toi"], ["x"])


def test_cards_have_params_too():
    cards = [
        {"body": "Sac {{1}}", "buttons": [{"type": "URL", "text": "Voir", "url": "https://e.fr/{{1}}"}]},
        {"body": "x"},
    ]
    content = json.dumps({"data": "Voici", "cards": cards})
    info = parse_template({**ENTRY, "templateType": "CAROUSEL", "containerMeta": content})
    assert info is not None
    assert (info.header_type, info.params_count) == ("CAROUSEL", 2)


@pytest.mark.parametrize("kind", ["LOCATION", "LTO", "CATALOG", "MPM"])
def test_a_template_that_needs_more_than_text_and_media_is_known_as_such(kind):
    assert parse_template({**ENTRY, "templateType": kind}).header_type == kind


def test_a_rejected_template_says_why():
    info = parse_template({**ENTRY, "status": "rejected", "reason": "INVALID_FORMAT"})
    assert info is not None
    assert (info.status, info.reason, info.sendable) == ("REJECTED", "INVALID_FORMAT", False)


@pytest.mark.parametrize(
    "entry", [None, 7, "x", [], {}, {"id": "1"}, {**ENTRY, "id": None}, {**ENTRY, "languageCode": []}]
)
def test_what_is_no_template_is_none(entry):
    assert parse_template(entry) is None


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda i: st.lists(i) | st.dictionaries(st.text(), i), max_leaves=8
    )
)
def test_odd_contents_break_nothing(odd):
    for name in ENTRY:
        info = parse_template({**ENTRY, name: odd})
        assert info is None or info.name
    content = {"data": odd, "buttons": odd, "cards": odd, "header": odd, "sampleText": odd}
    assert parse_template({**ENTRY, "containerMeta": json.dumps(content)}) is not None


@pytest.mark.parametrize(
    ("body", "params", "expected"),
    [
        ("Bonjour {{1}}", ["Léa"], "Bonjour Léa"),
        ("{{2}} et {{1}} et {{ 2 }}", ["a", "b"], "b et a et b"),
        ("Bonjour {{1}} {{2}}", ["Léa"], "Bonjour Léa {{2}}"),
        ("Bonjour {{prenom}}, {{ville}}", ["Léa", "Lyon"], "Bonjour Léa, Lyon"),
        ("Bonjour {{1}}", ["{{2}} \\1 $&"], "Bonjour {{2}} \\1 $&"),
        ("Sans variable", ["x"], "Sans variable"),
        ("{{0}} {{99999999999999}}", ["x"], "{{0}} {{99999999999999}}"),
        ("{{}} {{ }}", ["x"], "{{}} {{ }}"),
    ],
)
def test_a_text_is_filled_in(body, params, expected):
    assert render(body, params) == expected


@given(st.lists(st.text(max_size=10), max_size=6))
def test_every_value_has_its_place(values):
    body = " | ".join(f"{{{{{number + 1}}}}}" for number in range(len(values)))
    assert render(body, values) == " | ".join(values)
    assert len(placeholders(body)) == len(values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Léa", "Léa"),
        ("ligne 1\r\nligne 2", "ligne 1 ligne 2"),
        ("a\tb", "a b"),
        ("a      b", "a b"),
        ("  a  ", "a"),
        ("20\u00a0%", "20\u00a0%"),
        ("a\u2028b\x0bc", "a b c"),
        ("a\x00b\ud800", "ab\ufffd"),
        (12, "12"),
        ("\n\t", ""),
    ],
)
def test_values_are_cleaned(value, expected):
    assert clean_param(value) == expected


@given(st.text(max_size=200))
def test_what_was_cleaned_is_refused_only_for_being_empty(text):
    cleaned = clean_param(text)
    assert clean_param(cleaned) == cleaned
    assert {problem.code for problem in check_params([cleaned])} <= {"empty"}


@pytest.mark.parametrize(
    ("value", "code"),
    [("", "empty"), (" ", "empty"), ("a\nb", "newline"), ("a\tb", "tab"), ("a     b", "spaces"), ("x" * 1_025, "long")],
)
def test_what_WhatsApp_would_refuse_is_named(value, code):
    (problem,) = check_params(["bon", value])
    assert (problem.code, problem.where) == (code, 1)
    assert "variable 2" in problem.words.fr.lower()
    assert "variable 2" in problem.words.en.lower()


def test_four_spaces_are_allowed_and_the_number_is_counted():
    assert check_params(["a    b"], expected=1) == []
    assert [problem.code for problem in check_params(["a"], expected=2)] == ["count"]


DRAFT = TemplateDraft(
    name="soldes_ete",
    language="fr",
    category="MARKETING",
    body="Bonjour {{1}}, profitez de {{2}} % sur tous les sacs cette semaine.",
    samples=["Léa", "20"],
    footer="Répondez STOP pour ne plus rien recevoir",
    buttons=[ButtonDraft("QUICK_REPLY", "J'en profite"), ButtonDraft("URL", "Voir", url="https://exemple.fr")],
)


def test_a_draft_becomes_the_providers_form():
    form = DRAFT.form()
    assert form["elementName"] == "soldes_ete"
    assert form["content"] == DRAFT.body
    assert form["example"] == "Bonjour Léa, profitez de 20 % sur tous les sacs cette semaine."
    assert json.loads(form["buttons"]) == [
        {"type": "QUICK_REPLY", "text": "J'en profite"},
        {"type": "URL", "text": "Voir", "url": "https://exemple.fr"},
    ]
    assert (form["templateType"], form["enableSample"]) == ("TEXT", True)
    assert DRAFT.check() == []


def test_a_title_with_a_variable_and_an_address_with_one_have_samples():
    draft = replace(
        DRAFT,
        header_type="TEXT",
        header_text="Pour {{1}}",
        header_sample="Léa",
        buttons=[ButtonDraft("URL", "Voir", url="https://e.fr/{{1}}", example="https://e.fr/a")],
    )
    assert draft.check() == []
    form = draft.form()
    assert (form["header"], form["exampleHeader"]) == ("Pour {{1}}", "Pour Léa")
    assert json.loads(form["buttons"])[0]["example"] == ["https://e.fr/a"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "Soldes été"}, "name"),
        ({"name": "a" * 181}, "name"),
        ({"language": "français"}, "language"),
        ({"category": "PROMO"}, "category"),
        ({"body": "x" * 1_025, "samples": []}, "long"),
        ({"body": " ", "samples": []}, "empty"),
        ({"body": "{{1}} bonjour à vous tous", "samples": ["a"]}, "edge"),
        ({"body": "Bonjour à vous tous {{1}}", "samples": ["a"]}, "edge"),
        ({"body": "Bonjour {{1}} et {{3}} de la part de la boutique", "samples": ["a", "b"]}, "numbering"),
        ({"body": "Oui {{1}} {{2}} {{3}} !", "samples": ["a", "b", "c"]}, "few_words"),
        ({"samples": ["Léa"]}, "samples"),
        ({"samples": ["Léa", " "]}, "samples"),
        ({"footer": "x" * 61}, "long"),
        ({"footer": "Pour {{1}}"}, "variable"),
        ({"header_text": "x" * 61}, "long"),
        ({"header_text": "{{1}} {{2}}"}, "header"),
        ({"header_text": "Pour {{1}}"}, "header_sample"),
        (
            {"buttons": [ButtonDraft("URL", "Voir", url="https://e.fr/{{1}}/x", example="https://e.fr/a/x")]},
            "button_value",
        ),
        ({"header_type": "IMAGE"}, "media"),
        ({"buttons": [ButtonDraft("QUICK_REPLY", "x" * 26)]}, "button_text"),
        ({"buttons": [ButtonDraft("QUICK_REPLY", str(n)) for n in range(11)]}, "many"),
        ({"buttons": [ButtonDraft("URL", "Voir", url="exemple.fr")]}, "button_value"),
        ({"buttons": [ButtonDraft("URL", "Voir", url="https://exemple.fr/{{1}}")]}, "button_value"),
        ({"buttons": [ButtonDraft("PHONE_NUMBER", "Appeler", phone="0639")]}, "button_value"),
        ({"buttons": [ButtonDraft("COPY_CODE", "Copier")]}, "button_value"),
        ({"buttons": [ButtonDraft("DANCE", "Danser")]}, "button_value"),
    ],
)
def test_what_would_be_rejected_is_said_before(change, code):
    problems = replace(DRAFT, **change).check()
    assert code in {problem.code for problem in problems}
    assert all(problem.words.fr and problem.words.en for problem in problems)


SAMPLES = Path(__file__).parents[4] / "shared" / "gupshup-payloads" / "api-templates-list-01.json"


@pytest.mark.skipif(not SAMPLES.exists(), reason="no sample bodies beside the project")
def test_the_sample_list_is_read():
    infos = [parse_template(entry) for entry in json.loads(SAMPLES.read_text())["templates"]]
    assert [(info.status, info.params_count) for info in infos if info] == [
        ("APPROVED", 2),
        ("PAUSED", 2),
        ("REJECTED", 2),
    ]
