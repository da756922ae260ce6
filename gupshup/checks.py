"""What start-up checks say about the provider's settings."""
