"""A forecast: how long a run will take, before anything is opened. The real dispatch, in virtual time."""
