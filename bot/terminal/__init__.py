"""The service's part of `countersign`: what operators type."""
