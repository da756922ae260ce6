"""What this app announces. Receivers live in apps that may import this one; the sweep finds what a signal missed."""

from django.dispatch import Signal

callback_kept = Signal()  # after commit of one inbox row
# template: Template, and before: its (status, category) until now. In the transaction that changes it.
template_changed = Signal()
