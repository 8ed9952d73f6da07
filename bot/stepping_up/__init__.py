"""A yes that takes more than a click: a page with the whole call, and a sign-in for this one decision."""
