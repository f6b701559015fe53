#!/usr/bin/env bash
# DVC 3.67.1, pip's editable install by setuptools 82.0.1 (Python 3.11, Linux). Needs git.
#
# Behaviour: DVC runs a queued experiment in a copy of the project. A package under src/ that is installed with
# `pip install --editable .` is imported by its absolute place, so in the copy, too, Python imports the package of the
# first folder, as it is at that moment. DVC records the file of the copy as the input. Each tool does what it says;
# together, an experiment about code trains with other code than it records.
#
# Seen:
#   the experiment's code says: tanh
#   the experiment's result says: relu
#   after applying the experiment, dvc status: Data and pipelines are up to date.
#
# Why it matters: queueing several ideas and going on with one's work is what the queue is for. Each of these experiments
# would measure the folder of the moment. A parameter is copied rightly, so the fault shows in code alone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dvc==3.67.1 setuptools==82.0.1
mkdir -p "$folder/project/src/network"
cd "$folder/project"
cat > pyproject.toml <<'TOML'
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "network"
version = "1"
TOML
echo 'ACTIVATION = "relu"' > src/network/__init__.py
"$folder/venv/bin/pip" install --quiet --no-build-isolation --editable .

export HOME="$folder" PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR="$folder/site"
export GIT_AUTHOR_NAME=nobody GIT_AUTHOR_EMAIL=nobody@example.com
export GIT_COMMITTER_NAME=nobody GIT_COMMITTER_EMAIL=nobody@example.com
git init --quiet
dvc init --quiet
dvc config core.check_update false
cat > dvc.yaml <<'YAML'
stages:
  train:
    cmd: python -c "import network; print(network.ACTIVATION)" > model.txt
    deps: [src/network/__init__.py]
    outs: [model.txt]
YAML
printf '%s\n' /model.txt '*.egg-info' __pycache__ > .gitignore
dvc repro --quiet
git add --all
git commit --quiet --message "Train with relu"

echo 'ACTIVATION = "tanh"' > src/network/__init__.py
dvc exp run --queue --quiet --name tanh
git checkout --quiet -- src
dvc exp run --run-all --quiet
# The worker that DVC has started in the background ends by itself when it has found nothing to do for some seconds.
worker=$(cat .dvc/tmp/exps/celery/*.pid 2>/dev/null || true)
while test -n "$worker" && kill -0 "$worker" 2>/dev/null; do sleep 0.5; done
dvc exp apply --quiet tanh

code=$(cut -d'"' -f2 src/network/__init__.py)
result=$(cat model.txt)
status=$(dvc status)
echo "the experiment's code says: $code"
echo "the experiment's result says: $result"
echo "after applying the experiment, dvc status: $status"

case "$code/$result/$status" in
    tanh/relu/*"up to date"*) ;;
    *) echo "changed: the experiment ran the code that it records" >&2; exit 1 ;;
esac
