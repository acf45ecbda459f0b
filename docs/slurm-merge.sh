#!/usr/bin/env bash
# Makes one record and a report of what the job array of `slurm-array.sh` measured; see there. Its
# argument is the id of the array, further ones go to `gen-benchmarks merge`.
#
#SBATCH --job-name=bench-merge
#SBATCH --output=bench-merge-%j.log
set -euo pipefail

cd "$SLURM_SUBMIT_DIR"
folder=${RECORDS:-bench-records}/${1:?give the id of the job array}
shift
read -ra command <<<"${GEN_BENCHMARKS:-cargo run -p gen-benchmarks --}"
# 1: some cases have failed, and the report says which.
"${command[@]}" merge "$folder"/shard-*.jsonl --out "$folder/merged.jsonl" "$@" || test $? -eq 1
"${command[@]}" report --records "$folder/merged.jsonl" --out "$folder/report"
echo "$folder/report/BENCHMARKS.md"
