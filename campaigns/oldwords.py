"""The old system's words for our states; its front end goes on reading them in `status`. Pure."""

from __future__ import annotations

from campaigns.status import CampaignStatus, Status

MESSAGE_WORDS: dict[Status, str] = {
    Status.PENDING: "pending",
    Status.SENDING: "pending",
    Status.UNCERTAIN: "pending",
    Status.SUBMITTED: "sent",
    Status.SENT: "sent",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
    Status.DELIVERED: "delivered",
    Status.READ: "read",
    Status.SKIPPED: "skipped",  # the old system had no row for these; they are listed only when asked for
}
CAMPAIGN_WORDS: dict[CampaignStatus, str] = {
    CampaignStatus.DRAFT: "draft",
    CampaignStatus.SCHEDULED: "draft",
    CampaignStatus.PREPARING: "sending",
    CampaignStatus.RUNNING: "sending",
    CampaignStatus.PAUSED: "sending",
    CampaignStatus.FINISHED: "completed",
    CampaignStatus.CANCELLED: "failed",
}
OLD_MESSAGE_WORDS = ("pending", "sent", "delivered", "read", "failed")
OLD_CAMPAIGN_WORDS = ("draft", "sending", "completed", "failed")

# As pairs, for serializers and filters.
OLD_CAMPAIGN_CHOICES = [(word, word) for word in OLD_CAMPAIGN_WORDS]
OLD_MESSAGE_CHOICES = [(word, word) for word in (*OLD_MESSAGE_WORDS, "skipped")]
MESSAGE_STATE_CHOICES = [(status.word, status.word) for status in Status]


def message_word(status: int) -> str:
    return MESSAGE_WORDS[Status(status)]


def campaign_word(status: str) -> str:
    return CAMPAIGN_WORDS[CampaignStatus(status)]


def message_states(word: str) -> list[Status]:
    """Ours that the old word means; none for a word that it did not have."""
    return [status for status, old in MESSAGE_WORDS.items() if old == word and old in OLD_MESSAGE_WORDS]


def campaign_states(word: str) -> list[CampaignStatus]:
    return [status for status, old in CAMPAIGN_WORDS.items() if old == word]
