"""The Web API's methods, by subject. Each takes what was sent and returns what Slack would answer."""
