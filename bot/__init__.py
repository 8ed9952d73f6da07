"""The running service: Slack on one side, Redis on the other."""
