"""What performs the commands of dispatch: processes on this machine."""
