#!/bin/sh
# Usage: fuzz.sh PROGRAM NAME SECONDS
# Runs a libFuzzer program. Committed seeds: fuzz/corpus/NAME. What it finds: .cache/fuzz/NAME; failing inputs too.
set -eu
mkdir -p ".cache/fuzz/$2"
seeds=
[ ! -d "fuzz/corpus/$2" ] || seeds=fuzz/corpus/$2
dict=
[ ! -e "fuzz/$2.dict" ] || dict=-dict=fuzz/$2.dict
exec "$1" "-max_total_time=$3" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    "-artifact_prefix=.cache/fuzz/$2-" $dict ".cache/fuzz/$2" $seeds
