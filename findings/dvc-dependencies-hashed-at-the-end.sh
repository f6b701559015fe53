#!/usr/bin/env bash
# DVC 3.67.1 (Python 3.11, Linux).
#
# Behaviour: DVC computes the hash of a stage's dependencies when the command has ended, not when it starts. If a source
# file is edited while the command runs, dvc.lock records the edited file as the input of a result that the former file
# made. `dvc status` then says that all is up to date, and the run cache keeps the wrong pair: after the edit is taken
# back and made again, the wrong result is restored from it.
#
# Seen:
#   the command read: first
#   the file now says: second
#   dvc status: Data and pipelines are up to date.
#   after taking the edit back and making it again, DVC restores: first
#
# Why it matters: people go on editing while a training of an hour runs. The record then names code that did not make the
# model, and nobody is told. A long stage must hash its inputs itself when it starts, and compare when it ends.
set -euo pipefail

folder=$(mktemp -d)
trap 'touch "$folder/project/go-on" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dvc==3.67.1
cd "$folder"
export HOME="$folder" PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR="$folder/site"

mkdir project
cd project
dvc init --no-scm --quiet
dvc config core.check_update false
cat > dvc.yaml <<'YAML'
stages:
  train:
    cmd: cat source.txt > model.txt; touch started; while ! test -e go-on; do sleep 0.1; done
    deps: [source.txt]
    outs: [model.txt]
YAML

# The command is in the middle of its work when the file is edited.
echo first > source.txt
dvc repro --quiet &
until test -e started || ! kill -0 $!; do sleep 0.1; done
echo second > source.txt
touch go-on
wait $!
echo "the command read: $(cat model.txt)"
echo "the file now says: $(cat source.txt)"
status=$(dvc status)
echo "dvc status: $status"

echo first > source.txt
dvc repro --quiet
echo second > source.txt
dvc repro --quiet
restored=$(cat model.txt)
echo "after taking the edit back and making it again, DVC restores: $restored"

case "$status/$restored" in
    *"up to date"*/first) ;;
    *) echo "changed: an edit during a command is noticed" >&2; exit 1 ;;
esac
