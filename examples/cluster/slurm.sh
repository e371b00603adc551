#!/bin/bash
# sbatch slurm.sh: 16 shards, each on a GPU; one that is preempted or whose node fails is queued again and goes on from its store.
#SBATCH --job-name=lidr
#SBATCH --array=0-15
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=lidr-%a.log
lidr build-pairs lidr.yaml --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
# Then, on any node: sbatch --dependency=singleton --job-name=lidr --wrap 'lidr merge lidr.yaml'
