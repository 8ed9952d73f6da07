"""Requests as Slack sees them: pure functions from values to blocks, views and sentences."""
