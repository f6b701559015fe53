#!/usr/bin/env bash
# ruamel.yaml 0.19.1, ruamel.yaml.clib 0.2.15 (Python 3.11, Linux).
#
# Behaviour: YAML(typ="safe") uses the C library wherever ruamel.yaml.clib is installed, also by another package, and
# since 0.19 ruamel.yaml does not install it itself. The C library is not only faster: it breaks long lines elsewhere,
# so the same values are dumped as other text.
#
# Seen, for a mapping with one text of 40 words:
#   without: "{said: word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11"
#   with: "{said: word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 word12"
#   equal values when read again: True; equal text: False
#
# Why it matters: a digest of dumped YAML, a file under version control or a cache key changes when somebody installs an
# unrelated package. Pass pure=True wherever the text is kept, and ask for the C part by name wherever speed counts: DVC
# 3.67.1 reads its files by this class, and `dvc status` becomes faster by it without any change.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in without with; do
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/pip" install --quiet ruamel.yaml==0.19.1
done
"$folder/with/bin/pip" install --quiet ruamel.yaml.clib==0.2.15
cd "$folder"

cat > dump.py <<'PYTHON'
import io
import json

from ruamel.yaml import YAML

yaml = YAML(typ="safe")
text = io.StringIO()
yaml.dump({"said": " ".join(f"word{number}" for number in range(40))}, text)
print(json.dumps({"text": text.getvalue(), "values": yaml.load(text.getvalue())}))
PYTHON
for name in without with; do "$folder/$name/bin/python" dump.py > "$name.json"; done

python3 - <<'PYTHON'
import json
import sys

without, with_clib = (json.load(open(f"{name}.json")) for name in ("without", "with"))
for name, found in (("without", without), ("with", with_clib)):
    print(f'{name}: "{found["text"].splitlines()[0]}"')
same_values, same_text = without["values"] == with_clib["values"], without["text"] == with_clib["text"]
print(f"equal values when read again: {same_values}; equal text: {same_text}")
if not same_values or same_text:
    sys.exit("changed: the optional package no longer decides the text")
PYTHON
