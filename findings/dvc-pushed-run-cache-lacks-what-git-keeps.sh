#!/usr/bin/env bash
# DVC 3.67.1 (Python 3.11, Linux).
#
# Behaviour: `dvc push --run-cache` sends the records of runs and cached outputs, but not the content of metrics and
# plots that are declared with `cache: false`. In the folder that ran the stage, that content lies in the cache all the
# same, and the run cache restores the stage. In another folder, `dvc repro --pull` finds the record, warns that one file
# is missing on the remote, and runs the command again.
#
# Seen, for a stage that ran with the input a, was pushed, and ran with b, when it shall give the result of a again:
#   in the first folder, the command ran: 0 times
#   in the other folder, with a metric that git keeps: 1 times
#   in the other folder, with a metric that DVC caches: 0 times
#
# Why it matters: a team pushes the run cache so that nobody trains again what a colleague has trained. One metric that
# is kept in git, the usual place for it, and each of them trains again.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dvc==3.67.1
cd "$folder"
export HOME="$folder" PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR="$folder/site"

# Make a folder with one stage and a remote; $2 says whether the metric is cached.
make_project() {
    mkdir "$1"
    cd "$1"
    dvc init --no-scm --quiet
    dvc config core.check_update false
    dvc remote add --quiet --default storage "$folder/remote-$2"
    cat > dvc.yaml <<YAML
stages:
  train:
    cmd: echo run >> runs; sed s/score/model/ input.txt > model.txt; cp input.txt score.yaml
    deps: [input.txt]
    outs: [model.txt]
    metrics: [score.yaml: {cache: $2}]
YAML
}

# Print how often the command runs when the input is a.
count_runs() {
    rm -f runs
    echo "score: a" > input.txt
    dvc repro --pull --quiet
    if test -e runs; then wc -l < runs; else echo 0; fi
}

for cached in false true; do
    make_project "$folder/first-$cached" "$cached"
    echo "score: a" > input.txt
    dvc repro --quiet
    dvc push --run-cache --quiet
    echo "score: b" > input.txt
    dvc repro --quiet
    make_project "$folder/other-$cached" "$cached"
done
cd "$folder/first-false" && first=$(count_runs)
cd "$folder/other-false" && kept_by_git=$(count_runs)
cd "$folder/other-true" && cached=$(count_runs)
echo "in the first folder, the command ran: $first times"
echo "in the other folder, with a metric that git keeps: $kept_by_git times"
echo "in the other folder, with a metric that DVC caches: $cached times"

if [ "$first $kept_by_git $cached" != "0 1 0" ]; then
    echo "changed: the pushed run cache is complete, or no longer used" >&2
    exit 1
fi
