"""The daily threads: a day in numbers, a picture, and what is still open."""
