"""A simulated Exchange server that executes ROP buffers in the same process."""
