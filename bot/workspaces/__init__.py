"""One service for many workspaces: each that installs the app is a tenant of its own."""
