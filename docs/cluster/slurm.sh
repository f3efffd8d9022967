#!/bin/bash
# sbatch slurm.sh /shop/catalogue.csv /shop/results      Both must lie where all nodes see them.
#SBATCH --job-name=leffa-batch
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

manifest=$1 out=$2
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export OMP_NUM_THREADS=1 # on every node, so that all paint the same to the last bit

# The head runs the command, the others paint for it until it is done.
srun --kill-on-bad-exit=1 ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_PER_TASK" --num-gpus 1 -- \
    leffa batch "$manifest" --out "$out" --address "$head:6379" \
    --workers "$SLURM_JOB_NUM_NODES" --worker-gpus 1
