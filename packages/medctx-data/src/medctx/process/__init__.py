"""Progress bars, child processes and the processor of this machine."""
