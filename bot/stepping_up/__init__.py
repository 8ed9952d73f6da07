"""A yes that takes more than a click: a page with the whole call, and what proves who gives it."""
