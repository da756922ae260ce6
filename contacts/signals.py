"""What this app announces. Receivers live in apps that may import this one."""

from django.dispatch import Signal

# Sent inside the transaction that recorded an opt-out: contact_ids (list[int]).
opted_out = Signal()
