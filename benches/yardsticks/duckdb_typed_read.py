"""Reads a file of hired employees with types, keeps the records that cannot be read, and prints the time as JSON.

Usage: duckdb_typed_read.py FILE THREADS

Every column is counted, so that every column is read and converted: count(*) alone would skip that work.
"""

import json
import sys
import time

import duckdb

QUERY = """
SELECT count(*), count(id), count(name), count(datetime), count(department_id), count(job_id)
FROM read_csv(
  ?,
  auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', new_line = '\\n',
  columns = {'id': 'BIGINT', 'name': 'VARCHAR', 'datetime': 'TIMESTAMP', 'department_id': 'BIGINT', 'job_id': 'BIGINT'},
  store_rejects = true, rejects_limit = 0
)
"""


def main() -> None:
    file, threads = sys.argv[1], int(sys.argv[2])
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    start = time.perf_counter()
    # All of it: the rejects are stored when the result is read to its end.
    [counts] = connection.execute(QUERY, [file]).fetchall()
    seconds = time.perf_counter() - start
    rejects = connection.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchone()[0]
    json.dump({"seconds": seconds, "rows": counts[0], "rejects": rejects}, sys.stdout)


if __name__ == "__main__":
    main()
