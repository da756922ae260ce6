"""Users, for super-admins. Nobody is deleted: what they did keeps their name."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm

from accounts.admin_apikeys import ApiKeyAdmin as ApiKeyAdmin
from accounts.forms import EditUserForm, NewUserForm
from accounts.models import Role, User

admin.site.unregister(Group)  # roles replace groups

ROLE_COLOURS = {Role.SUPER_ADMIN.value: "warning", Role.ADMIN.value: "info"}


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    list_display = ("email", "full_name", "role_label", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("password_link", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", ("first_name", "last_name"), "role", "is_active", "password_link")}),
        (_("Dates"), {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", ("first_name", "last_name"), "role", "password1", "password2")}),)
    form = EditUserForm
    add_form = NewUserForm
    add_form_template = None  # Django's speaks of options that come later; there are none
    change_password_form = AdminPasswordChangeForm

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    @display(description=_("password"))
    def password_link(self, user: User) -> str:
        address = reverse("admin:auth_user_password_change", args=(user.pk,))
        return format_html(
            '<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, _("Set a new one")
        )

    @display(description=_("name"), ordering="last_name")
    def full_name(self, user: User) -> str:
        return f"{user.first_name} {user.last_name}".strip()

    @display(
        description=_("role"), ordering="role", label={Role.SUPER_ADMIN.value: "warning", Role.ADMIN.value: "info"}
    )
    def role_label(self, user: User) -> tuple[str, str]:
        return user.role, user.get_role_display()
