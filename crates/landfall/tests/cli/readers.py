"""Reads an Avro file with two programs that know nothing of Landfall, and prints its rows as JSON, one list for each row.

    readers.py fastavro|avro FILE
"""

import datetime
import decimal
import json
import sys
import uuid


def with_fastavro(path):
    import fastavro

    with open(path, "rb") as file:
        yield from fastavro.reader(file)


def with_avro(path):
    from avro.datafile import DataFileReader
    from avro.io import DatumReader

    with DataFileReader(open(path, "rb"), DatumReader()) as reader:
        yield from reader


def told(value):
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return value.isoformat() + "Z"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


decimal.getcontext().prec = 1000
rows = {"fastavro": with_fastavro, "avro": with_avro}[sys.argv[1]]
for row in rows(sys.argv[2]):
    print(json.dumps([told(value) for value in row.values()], ensure_ascii=False))
