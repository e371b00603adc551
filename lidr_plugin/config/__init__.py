"""The configuration: every key of `lidr.yaml`, one file a section, and the reader."""
