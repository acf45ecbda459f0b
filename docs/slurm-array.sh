#!/usr/bin/env bash
# Measures all cases on several nodes of a SLURM cluster: each task of a job array is a shard. Run it
# in the workspace, and let `slurm-merge.sh` follow it:
#
#   array=$(sbatch --parsable --array=1-4 docs/slurm-array.sh --profile full)
#   sbatch --dependency=afterany:"$array" docs/slurm-merge.sh "$array"
#
# Its arguments go to `gen-benchmarks run`. Records go to RECORDS (default: bench-records) in a folder
# named after the job; a task that is started again goes on where it stopped. GEN_BENCHMARKS is the
# command, for workspaces that do not hold it themselves.
#
# `scontrol requeue 123_2` starts a task again that was cancelled. When SLURM has forgotten it, another
# job measures its shard, or the rest of it, for the array that it was of, with the same arguments:
#
#   sbatch --array=2 --export=ALL,ARRAY=123,SHARDS=4 docs/slurm-array.sh --profile full
#
#SBATCH --job-name=bench-shard
#SBATCH --output=bench-shard-%A-%a.log
# Nobody else on the node while it measures. Ask for one kind of node here, as in --constraint=epyc.
#SBATCH --exclusive
#SBATCH --requeue
set -euo pipefail

cd "$SLURM_SUBMIT_DIR"
shard=$SLURM_ARRAY_TASK_ID
if [[ -n ${ARRAY:-} ]]; then
    shards=${SHARDS:?give the number of shards of the array $ARRAY}
else
    shards=$SLURM_ARRAY_TASK_COUNT
    if [[ $SLURM_ARRAY_TASK_MIN -ne 1 || $SLURM_ARRAY_TASK_MAX -ne $shards ]]; then
        echo "shards are numbered from 1 on without a gap: sbatch --array=1-$shards" >&2
        exit 2
    fi
fi
folder=${RECORDS:-bench-records}/${ARRAY:-$SLURM_ARRAY_JOB_ID}
record=$folder/shard-$shard.jsonl
mkdir -p "$folder"
resume=()
[[ -s $record ]] && resume=(--resume)

read -ra command <<<"${GEN_BENCHMARKS:-cargo run -p gen-benchmarks --}"
# cargo waits here for tasks that build in the same folder. What ends the task reaches the command itself.
exec "${command[@]}" run --shard "$shard/$shards" --records "$record" "${resume[@]}" "$@"
