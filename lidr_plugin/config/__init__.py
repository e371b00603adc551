"""The configuration: every key of `lidr.yaml`, one module per section, and the reader."""
