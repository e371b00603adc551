#!/bin/bash
# 16 shards as jobs of the Hub. The dataset repository "$1" has lidr.yaml, with shards_dir: s3://bucket/run and prompts at an
# address; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are exported. At the end, anywhere: lidr merge lidr.yaml
set -e
for shard in $(seq 0 15); do
  hf jobs run --detach --flavor a100-large --timeout 12h --secrets HF_TOKEN --secrets AWS_ACCESS_KEY_ID \
    --secrets AWS_SECRET_ACCESS_KEY --env SHARD="$shard/16" python:3.12 bash -c "
      pip install 'lidr[s3]' && lidr env create vllm && hf download $1 lidr.yaml --repo-type dataset --local-dir . &&
      lidr build-pairs lidr.yaml --shard \"\$SHARD\""
done
