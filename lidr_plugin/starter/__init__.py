"""What `lidr init` writes."""
