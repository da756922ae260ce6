"""A template written in the admin and handed in for Meta's approval; while it is typed, what it will look like and what
Meta would refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from gupshup import preview, templates
from gupshup.api.drafts import HEADER, ButtonDraft, TemplateDraft
from gupshup.api.templates import Button, placeholders
from gupshup.forms import BUTTON_ROWS, KINDS, DraftForm
from gupshup.models import Sender, Template
from gupshup.services import service_for
from gupshup.words import in_language, why

HEADERS = (
    ("", gettext_lazy("Nothing")),
    ("TEXT", gettext_lazy("A title")),
    ("IMAGE", gettext_lazy("A picture")),
    ("VIDEO", gettext_lazy("A video")),
    ("DOCUMENT", gettext_lazy("A document")),
)
# What WhatsApp takes, told by the file's first bytes and not by its name: (where, bytes, type); and how many MB.
MEDIA = {
    "IMAGE": (((0, b"\xff\xd8\xff", "image/jpeg"), (0, b"\x89PNG", "image/png")), 5),
    "VIDEO": (((4, b"ftyp", "video/mp4"),), 16),
    "DOCUMENT": (((0, b"%PDF", "application/pdf"),), 16),
}
MEGABYTE = 1024 * 1024
LATER = "later"  # stands for the handle of a sample that is not uploaded yet


class TemplateForm(DraftForm):
    """The form of a new template, with every kind of header and button that marketing needs."""

    header_type = forms.ChoiceField(
        label=gettext_lazy("Above the text"), required=False, choices=HEADERS, widget=UnfoldAdminSelectWidget
    )
    header_sample = forms.CharField(
        label=gettext_lazy("Example for the title's variable"),
        required=False,
        max_length=HEADER,
        widget=UnfoldAdminTextInputWidget,
    )
    sample_file = forms.FileField(
        label=gettext_lazy("An example of the media"),
        required=False,
        widget=forms.FileInput(
            attrs={"class": " ".join(INPUT_CLASSES), "accept": "image/jpeg,image/png,video/mp4,application/pdf"}
        ),
        help_text=gettext_lazy("JPEG or PNG up to 5 MB, MP4 or PDF up to 16 MB. Each campaign gives its own later."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in range(BUTTON_ROWS):
            kinds = (*KINDS, ("COPY_CODE", gettext_lazy("Copy a code")))
            self.fields[f"kind_{n}"].choices = kinds  # type: ignore[attr-defined]
            self.fields[f"target_{n}"].label = _("Address, number or code")
            self.fields[f"example_{n}"] = forms.CharField(
                label=_("Example, if the address ends in {{1}}"),
                required=False,
                max_length=2000,
                widget=UnfoldAdminTextInputWidget,
            )

    @property
    def button_rows(self) -> list[tuple[forms.BoundField, ...]]:
        parts = ("kind", "label", "target", "example")
        return [tuple(self[f"{part}_{n}"] for part in parts) for n in range(BUTTON_ROWS)]

    def clean_header_text(self) -> str:
        """A title may hold one variable, with its example."""
        return str(self.cleaned_data["header_text"])

    def clean_sample_file(self) -> UploadedFile | None:
        """Only what WhatsApp would take for this kind of header."""
        file: UploadedFile | None = self.cleaned_data.get("sample_file")
        kind = self.data.get("header_type", "")
        if file is None or kind not in MEDIA:
            return None
        _signatures, most = MEDIA[kind]
        if (file.size or 0) > most * MEGABYTE:
            raise forms.ValidationError(_("More than %(most)d MB.") % {"most": most})
        if media_type(kind, file) is None:
            raise forms.ValidationError(_("This file is not of a kind that WhatsApp takes here."))
        return file

    def draft(self, data: dict[str, Any]) -> TemplateDraft:
        kind = data.get("header_type") or ""
        return replace(
            super().draft(data),
            header_type=kind,
            header_text=data.get("header_text", "") if kind == "TEXT" else "",
            header_sample=data.get("header_sample", "") if kind == "TEXT" else "",
            media_handle=LATER if kind in MEDIA and data.get("sample_file") else "",
        )

    def _buttons(self, data: dict[str, Any]) -> list[ButtonDraft]:
        return [
            replace(button, example=example)
            for button, example in zip(super()._buttons(data), self._examples(data), strict=True)
        ]

    def _examples(self, data: dict[str, Any]) -> Iterator[str]:
        for n in range(BUTTON_ROWS):
            if kind := data.get(f"kind_{n}"):
                yield str(data.get(f"target_{n}" if kind == "COPY_CODE" else f"example_{n}") or "")

    # -- while it is typed

    def sketch(self) -> TemplateDraft:
        """What stands in the form now, finished or not."""
        given = {name: str(self.data.get(name) or "") for name in self.fields}
        return self.draft(given | {"sample_file": LATER})

    def remarks(self) -> list[str]:
        """What Meta would refuse in what was typed so far; an empty field is no mistake yet."""
        draft = self.sketch()
        typed = {
            "name": draft.name,
            "body": draft.body.strip(),
            "samples": placeholders(draft.body),
            "header": draft.header_text,
            "header_sample": draft.header_text,
            "footer": draft.footer,
        }
        problems = (one for one in draft.check() if isinstance(one.where, int) or typed.get(one.where))
        return list(dict.fromkeys(in_language(one.words) for one in problems))


def media_type(kind: str, file: UploadedFile) -> str | None:
    """The content type of a sample, None for what WhatsApp does not take as such a header."""
    file.seek(0)
    start = file.read(16)
    file.seek(0)
    signatures, _most = MEDIA[kind]
    return next((told for at, mark, told in signatures if start[at : at + len(mark)] == mark), None)


def bubble(draft: TemplateDraft) -> preview.Bubble:
    """As a person would read it, with the examples filled in."""
    buttons = [asdict(Button(one.kind, one.text, one.url or None, one.phone or None)) for one in draft.buttons]
    written = Template(
        body=draft.body,
        header_type=draft.header_type,
        header_text=draft.header_text,
        footer=draft.footer,
        buttons=buttons,
    )
    params = [draft.header_sample] if placeholders(draft.header_text) else []
    return preview.of_template(written, [*params, *draft.samples])


# -- pages; `model_admin` is the templates' own


def page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Write a template and submit it for Meta's approval."""
    _may_write(model_admin, request)
    form = TemplateForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid() and (template := _submit(form)) is not None:
        messages.success(request, _("Submitted. Meta mostly answers within minutes, at times within a day."))
        return HttpResponseRedirect(reverse("admin:gupshup_template_change", args=(template.pk,)))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("New template"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "show_back_button": True,
        "form": form,
        "senders": Sender.objects.exclude(app_id=""),
        **_seen(form),
    }
    return TemplateResponse(request, "gupshup/authoring/page.html", context)


def part(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The preview and the remarks, for what stands in the form."""
    _may_write(model_admin, request)
    if request.method != "POST":
        return HttpResponseNotAllowed(("POST",))
    return TemplateResponse(request, "gupshup/authoring/preview.html", _seen(TemplateForm(request.POST)))


def _may_write(model_admin: ModelAdmin, request: HttpRequest) -> None:
    if not model_admin.has_add_permission(request):
        raise PermissionDenied


def _seen(form: TemplateForm) -> dict[str, Any]:
    draft = form.sketch()
    typed = bool(draft.body.strip() or draft.header_text or draft.buttons)
    return {"bubble": bubble(draft) if typed else None, "remarks": form.remarks() if form.is_bound else []}


def _submit(form: TemplateForm) -> Template | None:
    """Hand it in; None when Gupshup did not take it, which the form then says."""
    data = form.cleaned_data
    sender: Sender = data["sender"]
    draft = form.draft(data)
    try:
        if draft.media_handle:
            kind = media_type(draft.header_type, data["sample_file"]) or ""
            draft = replace(draft, media_handle=_uploaded(sender, data["sample_file"], kind))
        return templates.submit(sender, draft)
    except templates.SyncFailedError as failure:
        form.add_error(None, _("Gupshup did not take it. %(why)s") % {"why": why(failure.response)})
        return None


def _uploaded(sender: Sender, file: UploadedFile, kind: str) -> str:
    """The handle of a sample at Gupshup. Raises SyncFailedError."""
    reply = service_for(sender).upload_media(file.read(), file.name or "sample", kind)
    if reply.value is None:
        raise templates.SyncFailedError(reply.response)
    return reply.value
