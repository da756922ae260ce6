"""The demonstration ends: with true figures, or with what stopped it."""

from __future__ import annotations

import pytest

from campaigns import rehearsal
from campaigns.models import Campaign
from campaigns.status import CampaignStatus


@pytest.mark.django_db
def test_a_campaign_that_waits_for_a_person_ends_the_rehearsal_with_the_reason(launched):
    campaign = launched(people=2)
    Campaign.objects.filter(pk=campaign.pk).update(
        status=CampaignStatus.PAUSED, pause_reason="132016", pause_detail="Template is disabled"
    )
    with pytest.raises(rehearsal.RehearsalError, match="132016 Template is disabled"):
        rehearsal.is_quiet(campaign)
