"""What lists of campaigns, messages and answers can be narrowed by."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet

from campaigns import oldwords
from campaigns.models import Campaign, Interaction, Message
from campaigns.status import CampaignStatus, Kind, Status
from whatsapp_campaigns.api.filtering import FlagFilter, IdFilter, MomentFilter, OneOf, Search, Sorting

STATES = {status.word: status for status in Status}


class CampaignFilters(django_filters.FilterSet):
    search = Search(field_name="name", lookup_expr="icontains")
    status = OneOf(choices=[(word, word) for word in oldwords.OLD_CAMPAIGN_WORDS], method="by_old_word")
    state = OneOf(field_name="status", choices=CampaignStatus.choices)
    category_id = IdFilter(field_name="categories", distinct=True)
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")
    ordering = Sorting("id", "name", "created_at", "updated_at", "completed_at")

    class Meta:
        model = Campaign
        fields: tuple[str, ...] = ()

    def by_old_word(self, campaigns: QuerySet, name: str, value: str) -> QuerySet:
        return campaigns.filter(status__in=oldwords.campaign_states(value))


class MessageFilters(django_filters.FilterSet):
    """Those that were skipped at launch are listed only for state=skipped."""

    campaign_id = IdFilter(field_name="campaign_id")
    contact_id = IdFilter(field_name="contact_id")
    message_type = OneOf(choices=Kind.choices)
    status = OneOf(choices=[(word, word) for word in oldwords.OLD_MESSAGE_WORDS], method="by_old_word")
    state = OneOf(choices=[(word, word) for word in STATES], method="by_state")

    class Meta:
        model = Message
        fields: tuple[str, ...] = ()

    def by_old_word(self, messages: QuerySet, name: str, value: str) -> QuerySet:
        return messages.filter(status__in=oldwords.message_states(value))

    def by_state(self, messages: QuerySet, name: str, value: str) -> QuerySet:
        return messages.filter(status=STATES[value])

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        found = super().filter_queryset(queryset)
        return found if self.form.cleaned_data.get("state") else found.exclude(status=Status.SKIPPED)


class InteractionFilters(django_filters.FilterSet):
    campaign_id = IdFilter(field_name="campaign_id")
    contact_id = IdFilter(field_name="contact_id")
    interaction_type = OneOf(choices=Interaction.Type.choices)
    late = FlagFilter(field_name="late")
    triggered = FlagFilter(field_name="triggered")
    received_after = MomentFilter(field_name="received_at", lookup_expr="gte")
    received_before = MomentFilter(field_name="received_at", lookup_expr="lt")

    class Meta:
        model = Interaction
        fields: tuple[str, ...] = ()
