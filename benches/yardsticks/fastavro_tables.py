"""The yardstick of backups: a table of PostgreSQL to Avro and back, with fastavro and psycopg, as one would write it.

    fastavro_tables.py backup FILE CODEC    the table hired_employees into FILE
    fastavro_tables.py restore FILE         FILE into the table hired_employees, which is empty

DATABASE_URL names the database.
"""

import os
import sys

import fastavro
import psycopg

SCHEMA = fastavro.parse_schema({
    "type": "record",
    "name": "hired_employees",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "datetime", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "department_id", "type": ["null", "long"]},
        {"name": "job_id", "type": ["null", "long"]},
    ],
})
NAMES = [field["name"] for field in SCHEMA["fields"]]
ROWS = 10_000


def rows(connection):
    with connection.cursor(name="backup", binary=True) as cursor:
        cursor.itersize = ROWS
        cursor.execute("SELECT id, name, datetime, department_id, job_id FROM hired_employees")
        for row in cursor:
            yield dict(zip(NAMES, row))


def backup(path, codec):
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection, open(path, "wb") as file:
        fastavro.writer(file, SCHEMA, rows(connection), codec=codec)
        file.flush()
        os.fsync(file.fileno())


def restore(path):
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection, open(path, "rb") as file:
        with connection.cursor() as cursor:
            with cursor.copy("COPY hired_employees (id, name, datetime, department_id, job_id) FROM STDIN") as copy:
                for row in fastavro.reader(file):
                    copy.write_row([row[name] for name in NAMES])


if sys.argv[1] == "backup":
    backup(sys.argv[2], sys.argv[3])
else:
    restore(sys.argv[2])
