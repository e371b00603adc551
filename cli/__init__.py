"""The `lidr` command: one short module a command, installed as the package `lidr_cli`."""
