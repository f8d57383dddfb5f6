#!/usr/bin/env python3
"""Is FILE a result as SCHEMA has it?  validate_result.py SCHEMA FILE

Exit status: 0 yes, 1 no (each fault on stderr), 77 python3-jsonschema is not installed.
"""
import json
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    sys.exit(77)


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    result = json.load(file, parse_constant=refuse)

Draft202012Validator.check_schema(schema)
faults = list(Draft202012Validator(schema).iter_errors(result))
for fault in faults:
    print(f"{fault.json_path}: {fault.message}", file=sys.stderr)
sys.exit(1 if faults else 0)
