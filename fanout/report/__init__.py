"""The report of a run: one self-contained page with what people look at rather than read."""
