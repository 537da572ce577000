"""`fanout bench`: which setting is best for a job and a server. What decides is pure; what measures runs in processes apart."""
