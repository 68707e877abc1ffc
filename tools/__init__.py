"""What developers of fedmed run beside it; nothing of it is installed."""
