"""Holds a job specification, as JSON on standard input, against the models of bacalhau_apiclient: every key has to be one
of the model's, every value of its type. Prints what does not fit, a line for each."""

import json
import re
import sys

import bacalhau_apiclient.models as models

# Models that the generator left empty; the ones that hold what they mean.
STAND_INS = {"AllOfTaskResources": "ResourcesConfig", "AllOfInputSourceSource": "SpecConfig"}
PLAIN = {"str": str, "int": int, "object": object}


def faults(value, kind, path):
    kind = STAND_INS.get(kind, kind)
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            return [f"{path} is not a list"]
        return [fault for index, item in enumerate(value) for fault in faults(item, match[1], f"{path}[{index}]")]
    if match := re.fullmatch(r"dict\(str, (.+)\)", kind):
        if not isinstance(value, dict):
            return [f"{path} is not a mapping"]
        return [fault for key, item in value.items() for fault in faults(item, match[1], f"{path}.{key}")]
    if kind in PLAIN:
        return [] if isinstance(value, PLAIN[kind]) else [f"{path} is not {kind}"]
    return model_faults(value, getattr(models, kind), path)


def model_faults(value, model, path):
    # An enumeration, which the generator made without its values.
    if not model.attribute_map:
        return [] if isinstance(value, str) else [f"{path} is not a text"]
    if not isinstance(value, dict):
        return [f"{path} is not a mapping"]
    names = {written: attribute for attribute, written in model.attribute_map.items()}
    found = [f"{path}.{key} is not of {model.__name__}" for key in value if key not in names]
    for key in value.keys() & names.keys():
        found += faults(value[key], model.swagger_types[names[key]], f"{path}.{key}")
    return found


print("\n".join(faults(json.load(sys.stdin), "Job", "Job")))
