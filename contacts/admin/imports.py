"""Imports: a file, a look at it, its progress, its report."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from contacts import exporting, importing, previewing
from contacts.admin.common import Media, download, user_of
from contacts.forms import ROLES, DraftForm, UploadForm
from contacts.layouts import IGNORE
from contacts.models import Import, RejectedRow
from contacts.reasons import Reason

PER_PAGE = 50


@admin.register(Import)
class ImportAdmin(ModelAdmin):
    list_display = ("filename", "state_label", "report", "category", "created_by", "created_at")
    list_filter = ("state",)
    search_fields = ("filename",)
    ordering = ("-id",)
    list_select_related = ("category", "created_by")
    actions = None
    Media = Media

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return Import.objects.of(user_of(request)).defer("content")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:pk>/preview/", view(self.preview_view), name="contacts_import_preview"),
            path("<int:pk>/start/", view(self.start_view), name="contacts_import_start"),
            path("<int:pk>/progress/", view(self.progress_view), name="contacts_import_progress"),
            path("<int:pk>/retry/", view(self.retry_view), name="contacts_import_retry"),
            path("<int:pk>/rejected/", view(self.rejected_view), name="contacts_import_rejected"),
        ]
        return own + super().get_urls()

    def has_delete_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        """A draft may be thrown away; what was done stays in the history."""
        return obj is not None and obj.state == Import.State.DRAFT and super().has_delete_permission(request, obj)

    # -- display

    @display(
        description=_("state"),
        ordering="state",
        label={"draft": "info", "waiting": "info", "running": "primary", "finished": "success", "failed": "danger"},
    )
    def state_label(self, job: Import) -> tuple[str, str]:
        label = job.get_state_display()
        return job.state, f"{label} {job.percent} %" if job.state == Import.State.RUNNING else label

    @display(description=_("rows"))
    def report(self, job: Import) -> str:
        if job.state == Import.State.DRAFT:
            return "–"
        if job.state == Import.State.FAILED and not job.rows:
            return job.problem_text
        return gettext("%(created)d created, %(updated)d updated, %(unchanged)d unchanged, %(rejected)d rejected") % {
            "created": job.created,
            "updated": job.updated,
            "unchanged": job.unchanged,
            "rejected": job.rejected,
        }

    # -- the file comes

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            job = form.draft(user_of(request))
            if job is not None:
                self.log_addition(request, job, [{"added": {}}])
                return HttpResponseRedirect(_page(job))
        return self._answer(request, "upload.html", gettext("Import contacts"), form=form)

    # -- one import

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        job = self.get_object(request, object_id)
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        if job.state == Import.State.DRAFT:
            return self._draft(request, job, DraftForm(job, user_of(request)))
        return self._done(request, job)

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The draft with a person's corrections, as a part of its page."""
        job = self._own(request, pk)
        form = DraftForm(job, user_of(request), request.POST or None)
        if job.state != Import.State.DRAFT:
            return _reload()
        if form.is_valid():
            form.save()
            job.refresh_from_db(fields=["layout", "region", "category"])
            form = DraftForm(job, user_of(request))
        return TemplateResponse(request, "contacts/import/preview.html", self._draft_context(job, form))

    def start_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._own(request, pk)
        if request.method != "POST" or job.state != Import.State.DRAFT:
            return HttpResponseRedirect(_page(job))
        form = DraftForm(job, user_of(request), request.POST)
        if not form.is_valid():
            return self._draft(request, job, form)
        form.start()  # of two clicks, the second one finds it begun
        return HttpResponseRedirect(_page(job))

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._own(request, pk)
        if job.is_over:
            return _reload()
        return TemplateResponse(request, "contacts/import/progress.html", {"job": job})

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._own(request, pk)
        if request.method == "POST" and not importing.retry(job):
            messages.error(request, gettext("This import cannot be tried again: send the file anew."))
        return HttpResponseRedirect(_page(job))

    def rejected_view(self, request: HttpRequest, pk: int) -> Any:
        job = self._own(request, pk)
        name = job.filename.rpartition(".")[0] or job.filename
        return download(exporting.rejected_rows(job), "-".join([name, pgettext("file name", "rejected")]))

    def _own(self, request: HttpRequest, pk: int) -> Import:
        job = self.get_queryset(request).filter(pk=pk).first()
        if job is None or not self.has_change_permission(request, job):
            raise Http404
        return job

    # -- pages

    def _draft(self, request: HttpRequest, job: Import, form: DraftForm) -> HttpResponse:
        context = self._draft_context(job, form)
        return self._answer(
            request, "draft.html", job.filename, subtitle=gettext("to check before the import"), **context
        )

    def _draft_context(self, job: Import, form: DraftForm) -> dict[str, Any]:
        region = form.data.get("region", job.region) if form.is_bound else job.region
        return {
            "job": job,
            "form": form,
            "preview": previewing.preview(job, form.layout, region),
            "roles": ROLES,
            "ignored": IGNORE,
        }

    def _done(self, request: HttpRequest, job: Import) -> HttpResponse:
        rejected = Paginator(job.rejected_rows.order_by("line", "pk"), PER_PAGE)
        return self._answer(
            request,
            "page.html",
            job.filename,
            job=job,
            page=rejected.get_page(request.GET.get("p")),
            reasons=_reasons(job) if job.rejected else [],
            contacts_url=_contacts(job),
            can_retry=job.state == Import.State.FAILED
            and Import.objects.filter(pk=job.pk, content__isnull=False).exists(),
        )

    def _answer(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": title,
            **context,
        }
        return TemplateResponse(request, f"admin/contacts/import/{template}", context)


def _page(job: Import) -> str:
    return reverse("admin:contacts_import_change", args=(job.pk,))


def _contacts(job: Import) -> str:
    address = reverse("admin:contacts_contact_changelist")
    return f"{address}?category={job.category_id}" if job.category_id else address


def _reasons(job: Import) -> list[tuple[str, int]]:
    counted = RejectedRow.objects.filter(source=job).values_list("reason").annotate(n=Count("pk")).order_by("-n")
    return [(str(Reason(reason).label) if reason in Reason.values else reason, n) for reason, n in counted]


def _reload() -> HttpResponse:
    """Tells htmx to load the whole page anew."""
    return HttpResponse(headers={"HX-Refresh": "true"})
