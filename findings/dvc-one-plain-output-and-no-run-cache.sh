#!/usr/bin/env bash
# DVC 3.67.1 (Python 3.11, Linux).
#
# Behaviour: the run cache gives back the results of a command that ran before with the same inputs. One output that is
# declared with `cache: false`, so that git keeps it, takes the whole stage out of the run cache, large cached outputs
# included, without a message. The same file declared as a metric or a plot with `cache: false` does not.
#
# Seen (how often the command ran for the inputs a, b, a):
#   history.csv under outs:    3 times
#   history.csv under plots:   2 times
#   history.csv under metrics: 2 times
#
# Why it matters: going back to former parameters trains again for hours, because somebody wanted one small file in git.
# Declare what git keeps under metrics or plots.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dvc==3.67.1
cd "$folder"
export HOME="$folder" PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR="$folder/site"

# Print how often a stage runs for the inputs a, b and a again, with its small file declared under a given key.
count_runs() {
    mkdir "$folder/$1"
    cd "$folder/$1"
    dvc init --no-scm --quiet
    dvc config core.check_update false
    cat > dvc.yaml <<YAML
stages:
  train:
    cmd: echo run >> runs; cp input.txt model.txt; cp input.txt history.csv
    deps: [input.txt]
    outs: [model.txt$2]
$3
YAML
    for input in a b a; do
        echo "$input" > input.txt
        dvc repro --quiet
    done
    wc -l < runs
}

outs=$(count_runs outs ", history.csv: {cache: false}" "")
plots=$(count_runs plots "" "    plots: [history.csv: {cache: false}]")
metrics=$(count_runs metrics "" "    metrics: [history.csv: {cache: false}]")
echo "history.csv under outs:    $outs times"
echo "history.csv under plots:   $plots times"
echo "history.csv under metrics: $metrics times"

if [ "$outs $plots $metrics" != "3 2 2" ]; then
    echo "changed: the three declarations are treated in another way" >&2
    exit 1
fi
