"""The same work through fanout and through what else runs a function in processes. `python -m benchmarks.peers`"""
