"""A small Slack: what every test talks to, and the workspace that people try first."""
