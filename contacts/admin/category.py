"""Categories: the marketers' lists."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from contacts import exporting, sharing
from contacts.admin.common import Media, chip, download, user_of
from contacts.forms import CategoryForm
from contacts.models import Category, Contact


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    list_display = ("labelled", "contact_count", "created_by", "created_at")
    search_fields = ("name",)
    ordering = ("name", "id")
    form = CategoryForm
    fields = ("name", "color")
    actions_detail = ("see_contacts", "export")
    Media = Media

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        own = Category.objects.of(user_of(request)).select_related("created_by")
        return own.annotate(members=Count("contacts"))

    @display(description=_("category"), ordering="name")
    def labelled(self, category: Category) -> SafeString:
        return chip(category)

    @display(description=_("contacts"), ordering="members")
    def contact_count(self, category: Category) -> SafeString:
        n = category.members  # type: ignore[attr-defined]
        text = ngettext("%(n)s contact", "%(n)s contacts", n) % {"n": f"{n:,}".replace(",", "\u202f")}
        return format_html('<a class="ct-link" href="{}">{}</a>', _contacts_of(category.pk), text)

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = user_of(request)
        super().save_model(request, obj, form, change)

    @action(description=_("See its contacts"), url_path="contacts", icon="contacts", permissions=("view",))
    def see_contacts(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(_contacts_of(object_id))

    @action(description=_("Download as CSV"), url_path="export", icon="download", permissions=("view",))
    def export(self, request: HttpRequest, object_id: str) -> Any:
        category = self.get_object(request, object_id)
        if category is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        people = Contact.objects.filter(categories=category)
        return download(exporting.contacts(people, Category.objects.of(user_of(request))), category.name)

    # -- deleting

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[str], dict[Any, int], set[str], list]:
        """The page says in words what goes and what stays (templates)."""
        return [str(one) for one in objs[:100]], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except sharing.StillNeeded as needed:
            messages.error(request, str(needed))
            return HttpResponseRedirect(reverse("admin:contacts_category_change", args=(object_id,)))

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        sharing.delete_category(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        for category in queryset:
            try:
                sharing.delete_category(category)
            except sharing.StillNeeded as needed:
                messages.warning(
                    request, gettext("“%(name)s” was kept: %(why)s") % {"name": category.name, "why": needed}
                )


def _contacts_of(category_id: Any) -> str:
    return f"{reverse('admin:contacts_contact_changelist')}?category={category_id}"
