"""What marketers fill in: a contact, a category, a file, and what is asked before an action."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminColorInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from contacts import arrival, countries, importing, layouts, phones
from contacts.layouts import (
    ATTRIBUTE,
    CATEGORIES,
    COUNTRY,
    FIRST_NAME,
    FULL_NAME,
    IGNORE,
    LAST_NAME,
    NUMBER,
    OTHER_NUMBER,
    Layout,
)
from contacts.models import Category, Contact, Import
from contacts.reasons import FileError, FileReason, Reason

if TYPE_CHECKING:
    from accounts.models import User

KEY_LENGTH, VALUE_LENGTH = layouts.KEY_LENGTH, 1_000


def country_field() -> forms.ChoiceField:
    """A choice of countries in the reader's language."""
    return forms.ChoiceField(
        label=_("Country of numbers written without one"),
        choices=lambda: countries.choices(get_language() or "fr"),
        initial=settings.DEFAULT_COUNTRY,
        widget=UnfoldAdminSelectWidget,
    )


class AttributesWidget(forms.Widget):
    """Pairs of a name and a value, with room for more."""

    template_name = "contacts/attributes.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        pairs = value.items() if isinstance(value, dict) else value or []
        context["pairs"] = [(key, shown(text)) for key, text in pairs if key or text]
        context["classes"] = " ".join(INPUT_CLASSES)
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[tuple[str, str]]:
        return list(zip(data.getlist(f"{name}-key"), data.getlist(f"{name}-value"), strict=False))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False


def shown(value: Any) -> str:
    """An attribute's value as text; what the API stored as a number or a list is shown as it is written there."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class AttributesField(forms.Field):
    widget = AttributesWidget

    def clean(self, value: Any) -> dict[str, str]:
        attributes: dict[str, str] = {}
        for name, text in value or []:
            key, text = layouts.slug(name), " ".join(text.replace("\0", "").split())
            if not text:
                continue
            if not key:
                raise forms.ValidationError(_("An attribute has a value and no name."))
            if len(text) > VALUE_LENGTH:
                raise forms.ValidationError(_("An attribute is longer than 1,000 characters."))
            if key in attributes:
                raise forms.ValidationError(_("Two attributes have the name %(name)s."), params={"name": key})
            attributes[key] = text
        return attributes

    def has_changed(self, initial: Any, data: Any) -> bool:
        return [(key, shown(value)) for key, value in (initial or {}).items()] != [pair for pair in data if any(pair)]


class ContactForm(forms.ModelForm):
    """A contact as a marketer writes it: the number in any spelling."""

    user: User  # set by the admin on the class it makes for a request

    number = forms.CharField(
        label=_("Phone number"),
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "inputmode": "tel"}),
        help_text=_("As you would write it: 06 12 34 56 78, or +32 470 12 34 56 from abroad."),
    )
    region = country_field()
    attributes = AttributesField(
        label=_("Attributes"),
        required=False,
        help_text=_("Usable as variables in messages. An empty value is removed."),
    )

    class Meta:
        model = Contact
        fields = ("number", "first_name", "last_name", "categories", "attributes")
        widgets = {
            "first_name": UnfoldAdminTextInputWidget,
            "last_name": UnfoldAdminTextInputWidget,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "categories" in self.fields:
            self.fields["categories"].queryset = Category.objects.of(self.user)  # type: ignore[attr-defined]
        if "number" in self.fields and self.instance.pk and not self.instance.number:
            self.fields["number"].required = False  # WhatsApp knows this person without a number
        self.fields["region"].label = _("Country, if written without one")
        if self.instance.number:
            self.fields["region"].initial = phones.region_of(self.instance.number) or settings.DEFAULT_COUNTRY

    def clean_number(self) -> str | None:
        text = self.cleaned_data["number"]
        if not text.strip():
            return None
        region = self.data.get("region", "")
        found = phones.normalise(text, region if region in phones.regions() else settings.DEFAULT_COUNTRY)
        if not isinstance(found, str):
            raise forms.ValidationError(Reason(found.value).label, code=found.value)
        self._refuse_known(found)
        return found

    def _refuse_known(self, number: str) -> None:
        """A number that only somebody else sees is shared when added; on another contact it cannot stand."""
        known = Contact.objects.filter(number=number).exclude(pk=self.instance.pk)
        mine = known.of(self.user).first()
        if mine is not None:
            link = reverse("admin:contacts_contact_change", args=(mine.pk,))
            raise forms.ValidationError(
                format_html(str(_('You have this number already: <a href="{}" class="ct-link">{}</a>.')), link, mine),
                code="known",
            )
        if self.instance.pk and known.exists():
            raise forms.ValidationError(_("Another contact has this number."), code="known")

    def clean_attributes(self) -> dict[str, Any]:
        """What was not touched keeps its type."""
        before = self.instance.attributes or {}
        return {
            key: before[key] if key in before and shown(before[key]) == text else text
            for key, text in self.cleaned_data["attributes"].items()
        }

    def validate_unique(self) -> None:
        """Done in `clean_number`; a number that only somebody else sees is shared with this user when saved."""

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "number"}  # type: ignore[misc]

    def _save_m2m(self) -> None:
        """Categories of other people, which this form does not show, stay."""
        hidden = self.instance.categories.exclude(pk__in=Category.objects.of(self.user).values("pk"))
        self.cleaned_data["categories"] = [*self.cleaned_data.get("categories", []), *hidden]
        super()._save_m2m()  # type: ignore[misc]


class CategoryForm(forms.ModelForm):
    color = forms.CharField(
        label=_("Colour"),
        initial="#25d366",
        widget=UnfoldAdminColorInputWidget({"type": "color"}),
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", _("A colour is # and six digits, for example #25d366."))],
    )

    class Meta:
        model = Category
        fields = ("name", "color")


class UploadForm(forms.Form):
    """The file, and the country of its numbers."""

    file = forms.FileField(
        label=_("Contacts file"),
        help_text=_("CSV, XLSX, XLS or ODS. One row for each person, with a column of phone numbers."),
        widget=forms.FileInput({"accept": ".csv,.txt,.tsv,.xlsx,.xls,.ods,text/csv", "class": "ct-hidden"}),
        max_length=255,
        error_messages={"empty": FileReason.EMPTY.label},
    )
    region = country_field()

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > arrival.MAX_TEXT:
            raise forms.ValidationError(FileReason.TOO_BIG.label)
        return file

    def draft(self, user: User) -> Import | None:
        """The draft of an import; None, with an error on the form, when the file cannot be imported."""
        file = self.cleaned_data["file"]
        try:
            return importing.draft_import(file.read(), file.name, self.cleaned_data["region"], created_by=user)
        except FileError as error:
            self.add_error("file", str(error))
            return None


ROLES = (
    (NUMBER, _("Phone number")),
    (OTHER_NUMBER, _("Second number, if the first is missing")),
    (FIRST_NAME, _("First name")),
    (LAST_NAME, _("Last name")),
    (FULL_NAME, _("First and last name")),
    (COUNTRY, _("Country or calling code")),
    (CATEGORIES, _("Categories")),
)
DELIMITERS = ((";", _("semicolon ;")), (",", _("comma ,")), ("\t", _("tabulation")), ("|", _("vertical bar |")))
ENCODINGS = (
    ("utf-8", "UTF-8"),
    ("cp1252", _("Windows, Western Europe")),
    ("mac_roman", "Mac"),
    ("cp1250", _("Windows, Central Europe")),
    ("cp1251", _("Windows, Cyrillic")),
    ("cp1253", _("Windows, Greek")),
    ("cp1254", _("Windows, Turkish")),
    ("cp1256", _("Windows, Arabic")),
)


class DraftForm(forms.Form):
    """What a person may correct before the import: the columns, and where the people go."""

    region = country_field()
    category = forms.ModelChoiceField(
        Category.objects.none(),
        label=_("Add everybody to the category"),
        required=False,
        empty_label=_("A new category"),
        widget=UnfoldAdminSelectWidget,
    )
    new_category = forms.CharField(
        label=_("Name of the new category"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget
    )
    delimiter = forms.ChoiceField(label=_("Separator"), choices=DELIMITERS, widget=UnfoldAdminSelectWidget)
    encoding = forms.ChoiceField(label=_("Characters"), choices=ENCODINGS, widget=UnfoldAdminSelectWidget)
    header = forms.ChoiceField(
        label=_("First row"),
        choices=(("1", _("names of the columns")), ("0", _("a contact already"))),
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, job: Import, user: User, data: Any = None) -> None:
        self.job = job
        self.user = user
        self.layout = Layout.from_json(job.layout)
        super().__init__(data, initial=self._initial())
        self.fields["category"].queryset = Category.objects.of(user)  # type: ignore[attr-defined]
        for name in ("region", "delimiter", "encoding", "header"):
            self.fields[name].widget.attrs["data-reread"] = ""

    def _initial(self) -> dict[str, Any]:
        return {
            "region": self.job.region,
            "category": self.job.category_id,
            "new_category": self.job.filename.rpartition(".")[0].replace("_", " ").strip() or self.job.filename,
            "delimiter": self.layout.delimiter,
            "encoding": self.layout.encoding,
            "header": "1" if self.layout.has_header else "0",
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.layout = self._read_differently() or self._with_roles()
            except FileError as error:
                self.add_error(None, str(error))
        return cleaned

    def _read_differently(self) -> Layout | None:
        """A new guess of the columns, when the file is to be read in another way."""
        before = self._initial()
        if all(self.cleaned_data[name] == before[name] for name in ("delimiter", "encoding", "header")):
            return None
        content = bytes(Import.objects.values_list("content", flat=True).get(pk=self.job.pk) or b"")
        return layouts.sniff(
            content,
            self.cleaned_data["region"],
            self.cleaned_data["encoding"],
            self.cleaned_data["delimiter"],
            has_header=None if self.cleaned_data["header"] == before["header"] else self.cleaned_data["header"] == "1",
        )

    def _with_roles(self) -> Layout:
        known = {role for role, _label in ROLES} | {IGNORE}
        roles = []
        for i, before in enumerate(self.layout.roles):
            role = self.data.get(f"role_{i}", before)
            roles.append(role if role in known else ATTRIBUTE + layouts.key_of(self.layout.names, i))
        if roles.count(NUMBER) != 1:
            self.add_error(None, _("Choose exactly one column of phone numbers."))
        for role, label in ROLES[2:]:
            if roles.count(role) > 1:
                self.add_error(None, _("Two columns are “%(role)s”: choose one.") % {"role": label})
        return self.layout.with_roles(roles)

    def save(self) -> bool:
        """Keep the corrections; False when the import has begun meanwhile."""
        return importing.change_draft(self.job, self.layout, self.cleaned_data["region"], self.cleaned_data["category"])

    def start(self) -> bool:
        """Keep the corrections and let the import begin. Of two clicks, one gets True."""
        if not self.cleaned_data["category"]:
            name = " ".join(self.cleaned_data["new_category"].split()) or self._initial()["new_category"][:120]
            own = Category.objects.of(self.user).filter(name__iexact=name).first()
            self.cleaned_data["category"] = own or Category.objects.create(name=name, created_by=self.user)
        return self.save() and importing.confirm(self.job)


class ChooseCategoryForm(forms.Form):
    """Which category an action is about."""

    category = forms.ModelChoiceField(Category.objects.none(), label=_("Category"), widget=UnfoldAdminSelectWidget)

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.fields["category"].queryset = Category.objects.of(user)  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Why a person's consent changes: kept as proof."""

    evidence = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("For example: asked by telephone on 3 March. It is kept with your name and the date."),
    )
