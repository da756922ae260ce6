"""What this app does when another announces something."""
