#!/bin/bash
# 16 shards, 4 at a time, on this machine; each failed one is tried three times. The same line goes on where it was.
set -e
seq 0 15 | parallel --jobs 4 --retries 3 lidr build-pairs lidr.yaml --shard {}/16
lidr merge lidr.yaml
