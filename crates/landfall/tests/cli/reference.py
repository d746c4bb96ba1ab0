"""Random tables and schemas, and what the reference validator (frictionless) says of them.

usage: reference.py FOLDER SEED COUNT

Writes FOLDER/datapackage.json with COUNT tables, each with a file of its own, and FOLDER/expected.json: for each table the list of
[record, field, code]. Cells are drawn so that the documented differences of types do not occur. Keys are judged here by the rules of a
load, from the values that the reference validator reads: a rejected record holds no key, and an identical row is no second one.
"""

import decimal
import json
import random
import sys
from pathlib import Path

from frictionless import Package

WORDS = ["", "a", "b", "ab", "Straße", "日本", "x y", 'q"q', "c,d", "e;f", "two\nlines", "-", "n/a", "null", "true", "7", "0.5", "A" * 12]
POOLS = {
    "string": WORDS,
    "integer": ["0", "1", "2", "-1", "+5", "007", "42", "1.0", "1e3", "x", "", "9223372036854775807", "-", "--1", "0x1", "1 2"],
    "number": ["0", "1", "1.5", "-2.25", "+3", ".5", "5.", "1e3", "1E-2", "NaN", "INF", "-INF", "x", "", "1,5", "1.2.3", "0.10", "-0"],
    "boolean": ["true", "false", "True", "False", "TRUE", "FALSE", "1", "0", "yes", "no", "", "t", "2", "tRue"],
    "date": ["2021-01-31", "2021-02-29", "2020-02-29", "2021-13-01", "2021-00-10", "x", "", "20210131", "2021-01-31T00:00:00", "31.01.2021", "0001-01-01"],
    "time": ["00:00:00", "23:59:59", "24:00:01", "12:60:00", "x", "", "12:00", "7:00:00", "12:00:00.5"],
    "datetime": ["2021-01-31T10:00:00Z", "2021-01-31T10:00:00+01:00", "2021-02-29T10:00:00Z", "x", "", "2021-01-31", "2021-01-31T25:00:00Z"],
    "year": ["2021", "1", "0", "9999", "20211", "x", "", "-1", "21"],
    "yearmonth": ["2021-01", "2021-12", "2021-13", "2021-00", "x", "", "2021", "2021-01-01"],
    "duration": ["P1Y", "P1DT2H", "PT1.5S", "P1W", "x", "", "1D", "P"],
    "object": ["{}", '{"a": 1}', "[]", "1", "x", "", '{"a": }', '"a"', "null"],
    "array": ["[]", "[1, 2]", "{}", "1", "x", "", "[1,", '"a"', "null"],
    "geopoint": ["1,2", "1, 2", "180,90", "181,0", "0,91", "x", "", "1", "1,2,3", "-180,-90"],
    "any": WORDS,
}
STRING_FORMATS = {
    "email": ["a@b.co", "a@b", "x", "", "@b.co", "a b@c.de", "a.b@c-d.org"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "x", "", "123e4567-e89b-12d3-a456-42661417400", "123E4567-E89B-12D3-A456-426614174000"],
    "binary": ["YQ==", "YWI=", "YWJj", "x", "", "YQ="],
}
ENUMS = {
    "string": ["a", "b", "ab", "7"],
    "integer": ["0", "1", "42"],
    "number": ["0", "1.5", "-2.25"],
    "boolean": ["true"],
    "date": ["2021-01-31", "2020-02-29"],
    "year": ["2021", "1999"],
}
BOUNDS = {
    "integer": ["-1", "0", "1", "7", "42"],
    "number": ["-1", "0", "0.5", "1.5", "42"],
    "date": ["2020-02-29", "2021-01-31", "2021-06-01"],
    "time": ["07:00:00", "12:00:00", "23:59:59"],
    "year": ["1999", "2020", "2021"],
    "yearmonth": ["2021-01", "2021-12"],
}


# The reference validator stops at a key whose values are lists or objects.
UNHASHABLE = ("object", "array", "geopoint")


def chance(rng, share):
    return rng.random() < share


def make_field(rng, name):
    kind = rng.choice(list(POOLS))
    field = {"name": name, "type": kind}
    pool = POOLS[kind]
    if kind == "string" and chance(rng, 0.3):
        field["format"] = rng.choice(list(STRING_FORMATS))
        pool = STRING_FORMATS[field["format"]]
    if kind == "geopoint" and chance(rng, 0.4):
        field["format"], pool = rng.choice([("array", ["[1,2]", "[1, 2, 3]", "[181, 0]", "x", "", "1,2", "{}"]), ("object", ['{"lon": 1, "lat": 2}', '{"lon": 1}', '{"lon": 1, "lat": 91}', "x", "", "[1,2]"])])
    if kind == "date" and chance(rng, 0.3):
        field["format"] = "%d.%m.%Y"
        pool = ["31.01.2021", "29.02.2021", "2021-01-31", "x", "", "01.13.2021"]
    if kind == "boolean" and chance(rng, 0.3):
        field["trueValues"], field["falseValues"] = ["ja", "J"], ["nein", "N"]
        pool = ["ja", "J", "nein", "N", "j", "true", "", "0"]
    if kind == "number" and chance(rng, 0.3):
        field["decimalChar"], field["groupChar"] = ",", "."
        pool = ["1,5", "1.234,5", "1234,5", "x", "", "-7", "1.234.567", "1"]
    constraints = {}
    if chance(rng, 0.25):
        constraints["required"] = True
    if kind not in UNHASHABLE and chance(rng, 0.15):
        constraints["unique"] = True
    plain = "format" not in field and "trueValues" not in field and "decimalChar" not in field
    if kind in ENUMS and plain and chance(rng, 0.2):
        constraints["enum"] = ENUMS[kind]
    if kind in BOUNDS and plain and chance(rng, 0.3):
        constraints[rng.choice(["minimum", "maximum"])] = rng.choice(BOUNDS[kind])
    if kind in ("string", "array", "object") and "format" not in field and chance(rng, 0.25):
        constraints[rng.choice(["minLength", "maxLength"])] = rng.randint(0, 3)
    if kind == "string" and "format" not in field and chance(rng, 0.15):
        constraints["pattern"] = rng.choice(["[a-z]+", "[0-9]*", "a.*", ".{1,3}"])
    if constraints:
        field["constraints"] = constraints
    return field, pool


def write_cell(rng, text, delimiter):
    if any(char in text for char in '"\n' + delimiter) or (text and chance(rng, 0.1)):
        return '"' + text.replace('"', '""') + '"'
    return text


def make_table(rng, number, earlier):
    fields, pools = [], []
    for at in range(rng.randint(1, 5)):
        field, pool = make_field(rng, f"f{at}")
        fields.append(field)
        pools.append(pool)
    schema = {"fields": fields}
    if chance(rng, 0.2):
        schema["missingValues"] = rng.choice([["", "-"], ["n/a"], ["", "null"]])
    names = [field["name"] for field in fields if field["type"] not in UNHASHABLE]
    if names and chance(rng, 0.4):
        schema["primaryKey"] = rng.sample(names, min(len(names), rng.choice([1, 1, 2])))
    name = f"t{number}"
    add_foreign_key(rng, schema, fields, pools, earlier)
    dialect = {"delimiter": rng.choice([";", "|", "\t"])} if chance(rng, 0.2) else {}
    text = write_table(rng, fields, pools, dialect.get("delimiter", ","))
    resource = {"name": name, "path": f"{name}.csv", "schema": schema}
    if dialect:
        resource["dialect"] = dialect
    return resource, pools, text


def add_foreign_key(rng, schema, fields, pools, earlier):
    """Lets a field name the rows of an earlier table by its primary key."""
    parents = [(resource, pool) for resource, pool in earlier[-20:] if len(resource["schema"].get("primaryKey", [])) == 1]
    if not parents or not chance(rng, 0.4):
        return
    parent, parent_pools = rng.choice(parents)
    key = parent["schema"]["primaryKey"][0]
    at = next(at for at, field in enumerate(parent["schema"]["fields"]) if field["name"] == key)
    field = {name: value for name, value in parent["schema"]["fields"][at].items() if name != "constraints"}
    field["name"] = f"f{len(fields)}"
    fields.append(field)
    pools.append(parent_pools[at])
    schema["foreignKeys"] = [{"fields": [field["name"]], "reference": {"resource": parent["name"], "fields": [key]}}]


def write_table(rng, fields, pools, delimiter):
    lines = [delimiter.join(field["name"] for field in fields)]
    records = []
    for _ in range(rng.randint(0, 8)):
        repeats = records and chance(rng, 0.2)
        cells = list(rng.choice(records)) if repeats else [rng.choice(pool) for pool in pools]
        shape = rng.random()
        if shape < 0.05 and len(cells) > 1:
            cells = cells[:-1]
        elif shape < 0.1:
            cells = cells + [rng.choice(WORDS)]
        records.append(cells)
        lines.append(delimiter.join(write_cell(rng, cell, delimiter) for cell in cells))
    return "\n".join(lines) + "\n"


def write_cell(rng, text, delimiter):
    if any(char in text for char in '"\n' + delimiter) or (text and chance(rng, 0.1)):
        return '"' + text.replace('"', '""') + '"'
    return text


def keys_of(schema):
    """The keys of a table, each with the field and the code of the error that a second row with it has."""
    primary = schema.get("primaryKey", [])
    keys = [(primary, None, "primary-key")] if primary else []
    unique = (field["name"] for field in schema["fields"] if field.get("constraints", {}).get("unique"))
    return keys + [([name], name, "unique-error") for name in unique if [name] != primary]


def values_at(row, names):
    """The values of a key; None if one of them is missing."""
    values = tuple(row.get(name) for name in names)
    return None if None in values else values


def judge_keys(schema, rows, errors, accepted):
    """Adds the errors of keys to `errors`, by record; the rows that pass go to `accepted`, by table."""
    held, own_rows = {}, []
    for record, row in enumerate(rows, 1):
        own = errors.setdefault(record, set())
        if own & {(None, "blank-row")}:
            continue
        for name in schema.get("primaryKey", []):
            if row.get(name) is None and not any(field == name for field, _ in own):
                own.add((name, "constraint-error"))
        for key in schema.get("foreignKeys", []):
            values = values_at(row, key["fields"])
            reference = key["reference"]
            parents = {values_at(parent, reference["fields"]) for parent in accepted[reference["resource"]]}
            if values and values not in parents:
                own.add((None, "foreign-key"))
        clashes, repeated = set(), False
        for at, (names, field, code) in enumerate(keys_of(schema)):
            earlier = held.get((at, values_at(row, names)))
            if earlier == row:
                repeated = True
            elif earlier is not None:
                clashes.add((field, code))
        own |= clashes
        if not own and not repeated:
            own_rows.append(row)
            for at, (names, _, _) in enumerate(keys_of(schema)):
                values = values_at(row, names)
                if values:
                    held[(at, values)] = row
    return own_rows


def read_rows(resource):
    """The rows of a table as the reference validator reads them, with None for what it cannot read."""
    comparable = lambda value: "NaN" if isinstance(value, decimal.Decimal) and value.is_nan() else value
    with resource.open():
        return [{name: comparable(value) for name, value in row.items()} for row in resource.row_stream]


def judge_table(resource, accepted):
    """The errors of a table: by record a set of (field, code)."""
    errors = {}
    for task in resource.validate(limit_errors=1000).tasks:
        for error in task.errors:
            if error.type not in ("primary-key", "unique-error", "foreign-key"):
                field = getattr(error, "field_name", None) or None
                errors.setdefault(error.row_number - 1, set()).add((field, error.type))
    # A cell that is missing is one reason: that its field is required is no second one.
    for own in errors.values():
        for field, code in list(own):
            if code == "missing-cell":
                own.discard((field, "constraint-error"))
    schema = resource.schema.to_descriptor()
    accepted[resource.name] = judge_keys(schema, read_rows(resource.to_copy()), errors, accepted)
    return [[record, field, code] for record in sorted(errors) for field, code in sorted(errors[record], key=str)]


def main():
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    tables = []
    for number in range(count):
        resource, pools, text = make_table(rng, number, tables)
        (folder / resource["path"]).write_text(text, encoding="utf-8", newline="")
        tables.append((resource, pools))
    package = folder / "datapackage.json"
    resources = [resource for resource, _ in tables]
    package.write_text(json.dumps({"name": "cases", "resources": resources}, ensure_ascii=False, indent=1), encoding="utf-8")
    accepted = {}
    expected = {resource.name: judge_table(resource, accepted) for resource in Package(str(package)).resources}
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False), encoding="utf-8")


main()
