"""What this app announces. Receivers live in apps that may import this one; the sweep finds what a signal missed."""

from django.dispatch import Signal

callback_kept = Signal()  # after commit of one inbox row
template_changed = Signal()  # template: Template, whose status or category has changed
