"""Fields of the campaign's form: where a variable takes its value from, templates and categories to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Q
from django.forms.utils import flatatt
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import sql
from gupshup.api import templates
from gupshup.models import Template

FIELDS: tuple[tuple[str, Any], ...] = (
    ("first_name", gettext_lazy("First name")),
    ("last_name", gettext_lazy("Last name")),
    ("number", gettext_lazy("Phone number")),
)
SAMPLED = 1_000  # contacts in which attribute names are looked for

# The newest and the oldest contacts: reading 300 000 rows for a list of names would take a second.
_ATTRIBUTES = """
    SELECT DISTINCT jsonb_object_keys(attributes) FROM (
        (SELECT attributes FROM contacts_contact WHERE jsonb_typeof(attributes) = 'object' ORDER BY id DESC LIMIT %(n)s)
        UNION ALL
        (SELECT attributes FROM contacts_contact WHERE jsonb_typeof(attributes) = 'object' ORDER BY id LIMIT %(n)s)
    ) AS looked_at ORDER BY 1 LIMIT 200"""


def attribute_names() -> list[str]:
    """The columns beyond name and number that contacts were imported with."""
    return [name for (name,) in sql.rows(_ATTRIBUTES, {"n": SAMPLED})]


def sources(attributes: Sequence[str], *used: str) -> list[tuple[str, Any]]:
    """What a variable can be filled from; what is used stays, even if no contact has it now."""
    names = list(attributes)
    names += [name for one in used if (name := one.removeprefix("attributes.")) != one and name not in names]
    return [*FIELDS, *((f"attributes.{name}", name) for name in names), ("", _("A fixed text"))]


@dataclass(frozen=True)
class Variable:
    """One row of the form: the n-th variable, where it stands in the text, and how it is filled."""

    position: int
    name: str
    around: SafeString
    field: str
    text: str
    choices: Sequence[tuple[str, Any]] = ()

    @property
    def fixed(self) -> bool:
        return not self.field

    @property
    def label(self) -> str:
        """As it stands in the template's text."""
        return f"{{{{{self.name}}}}}"

    @property
    def source(self) -> str:
        return str(dict(FIELDS).get(self.field, self.field.removeprefix("attributes.")))


def variables(
    template: Template | None, params: list[dict[str, str]], choices: Sequence[tuple[str, Any]] = ()
) -> list[Variable]:
    """A row for each variable that the template is due."""
    if template is None:
        return []
    places = [(template.header_text, name) for name in templates.placeholders(template.header_text)]
    places += [(template.body, name) for name in templates.placeholders(template.body)]
    rows = []
    for n in range(template.params_count):
        spec = params[n] if n < len(params) else {"field": "first_name" if n == 0 else "", "text": ""}
        text, name = places[n] if n < len(places) else ("", str(n + 1))
        rows.append(Variable(n, name, _around(text, name), spec.get("field", ""), spec.get("text", ""), choices))
    return rows


def _around(body: str, name: str) -> SafeString:
    """The words on both sides of a placeholder, so that one knows which it is."""
    flat = " ".join(body.split())
    for mark in (f"{{{{{name}}}}}", f"{{{{ {name} }}}}"):
        before, found, after = flat.partition(mark)
        if found:
            left = before[-28:] if len(before) <= 28 else "…" + before[-27:]
            right = after[:20] if len(after) <= 20 else after[:19] + "…"
            return format_html("{}<mark>{}</mark>{}", left, mark, right)
    return format_html("{}", _("In a button"))


class LongSelect(forms.Select):
    """Hundreds of options, written at once: a template for each takes a second."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        chosen = set(self.format_value(value))
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            ((key, mark_safe(" selected") if str(key) in chosen else "", label) for key, label in self.choices),
        )
        return format_html(
            "<select{}>{}</select>", flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name})), options
        )


class VariablesField(forms.Field):
    """Reads `params-<n>-field` and `params-<n>-text` into the campaign's list. The page writes these rows itself."""

    class Widget(forms.Widget):
        def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[dict[str, str]]:
            found: list[dict[str, str]] = []
            while f"{name}-{len(found)}-field" in data and len(found) < 100:
                n = len(found)
                found.append(
                    {
                        "field": str(data[f"{name}-{n}-field"])[:200],
                        "text": str(data.get(f"{name}-{n}-text", ""))[:1024],
                    }
                )
            return found

        def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
            return False

    widget = Widget

    def clean(self, value: list[dict[str, str]]) -> list[dict[str, str]]:
        known = {name for name, _label in FIELDS} | {""}
        for spec in value:
            if spec["field"] not in known and not spec["field"].startswith("attributes."):
                raise forms.ValidationError(_("Choose what fills each variable."))
        return [{"field": spec["field"], "text": " ".join(spec["text"].split())} for spec in value]


class TemplateField(forms.ModelChoiceField):
    """Approved templates, and the one that is chosen already; under their sender's name when there are several."""

    def label_from_instance(self, template: Template) -> str:
        label = f"{template.name} · {template.language} · {template.get_category_display()}"
        return label if template.sendable else f"{label} · {template.get_status_display()}"

    def offer(self, chosen: int | None) -> None:
        wanted = Q(status=Template.Status.APPROVED) | Q(pk=chosen or 0)
        found = Template.objects.filter(wanted).select_related("sender").order_by("sender_id", "name", "language")
        by_sender: dict[str, list[tuple[int, str]]] = {}
        for template in found:
            by_sender.setdefault(str(template.sender), []).append((template.pk, self.label_from_instance(template)))
        groups: list[Any] = list(by_sender.items()) if len(by_sender) > 1 else list(*by_sender.values())
        self.choices = [("", _("Choose a template")), *groups]


class CategoriesField(forms.ModelMultipleChoiceField):
    """Categories with how many contacts each has."""

    def label_from_instance(self, category: Any) -> SafeString:
        size = ngettext("%(n)s contact", "%(n)s contacts", category.size) % {
            "n": number_format(category.size, force_grouping=True)
        }
        return format_html(
            '<span class="wc-swatch" style="background:{}"></span>{} <span class="wc-faint">{}</span>',
            category.color,
            category.name,
            size,
        )


class HttpsURLField(forms.URLField):
    """An address typed without its scheme means https."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"assume_scheme": "https", **kwargs})
