"""The yardstick of `cargo xtask bench http`: a service of FastAPI, pydantic and psycopg that validates the rules of the example and
inserts into the constrained tables of a PostgreSQL database.

Usage: uvicorn --app-dir benches/yardsticks fastapi_rows:app, with DATABASE_URL in the environment. ROWS_BY says how the rows of a
request go in: `executemany`, as the documentation of psycopg does it (one statement for each row, in pipeline mode), or `unnest`,
one statement over arrays.
"""

import os
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, Request, Response
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

ONE = """
INSERT INTO hired_employees (id, name, datetime, department_id, job_id)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
ALL = """
INSERT INTO hired_employees (id, name, datetime, department_id, job_id)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[])
ON CONFLICT DO NOTHING
"""


ROWS_BY = os.environ.get("ROWS_BY", "executemany")


class Employee(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)

    id: int
    name: Annotated[str, Field(pattern=r"\S")]
    datetime: datetime
    department_id: int
    job_id: int


EMPLOYEES = TypeAdapter(Annotated[list[Employee], Field(min_length=1, max_length=1000)])


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with AsyncConnectionPool(os.environ["DATABASE_URL"], min_size=4, max_size=16) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/tables/hired_employees/rows", status_code=201)
async def rows(request: Request):
    try:
        employees = EMPLOYEES.validate_json(await request.body())
    except ValidationError as error:
        return Response(error.json(), status_code=422, media_type="application/json")
    values = [(row.id, row.name, row.datetime, row.department_id, row.job_id) for row in employees]
    async with app.state.pool.connection() as connection, connection.cursor() as cursor:
        if ROWS_BY == "unnest":
            await cursor.execute(ALL, [list(column) for column in zip(*values)])
        else:
            await cursor.executemany(ONE, values)
        return {"read": len(employees), "inserted": cursor.rowcount}
