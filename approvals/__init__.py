"""Countersign: people approve what AI agents want to do, in Slack, before it happens."""
