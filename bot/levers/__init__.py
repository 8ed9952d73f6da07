"""Brakes and levers: what stops, joins or lets through calls without a decision on each."""
