"""One module for each of the provider's layouts; ``shapes`` tells them apart. Only ``events.parse`` calls them."""
