"""What changed, onto Slack: the only rooms that post or update messages."""
