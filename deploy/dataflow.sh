#!/usr/bin/env bash
# A build on Dataflow: the corpus and the output on Google's storage, workers from the image of deploy/Dockerfile's target
# dataflow, one thread a worker.
#   PROJECT=... REGION=... BUCKET=... IMAGE=REGION-docker.pkg.dev/.../kgmill-dataflow:0.3.0 deploy/dataflow.sh
# It wants `pip install 'kgmill[build]' 'apache-beam[gcp]' gcsfs` here (in Beam's version of the image), the same Python (3.11),
# and Google's own login (gcloud auth application-default login). A GPU a worker: GPU=nvidia-l4, with the image's
# TORCH_INDEX as the Dockerfile says.
#
# Checked: bash -n; kgmill reads the command line. Not run: no project of Google's was there, and neither was the image made.
set -euo pipefail

gpu=() device=cpu
if [ -n "${GPU:-}" ]; then
    device=cuda gpu=("--dataflow_service_options=worker_accelerator=type:${GPU};count:1;install-nvidia-driver")
fi

exec kgmill build "gs://${BUCKET:?}/corpus" --out "gs://${BUCKET}/graph" --no-prefect \
    --device "$device" --runner DataflowRunner -- \
    --project="${PROJECT:?}" --region="${REGION:?}" --temp_location="gs://${BUCKET}/tmp" \
    --sdk_container_image="${IMAGE:?}" --sdk_location=container \
    --num_workers=4 --max_num_workers=16 --machine_type=n2-standard-4 --disk_size_gb=100 \
    --number_of_worker_harness_threads=1 "${gpu[@]}"
