-- Employees hired in :year for each department and job, by quarter. Only pairs with hires in that year are listed.
--
-- A datetime is stored in UTC as text, YYYY-MM-DDThh:mm:ssZ, so that year and month stand at fixed places. Counting by
-- the short ids first, and looking up the names after, keeps it fast on millions of rows.
WITH hires AS (
  SELECT
    department_id,
    job_id,
    SUM(CASE WHEN substr("datetime", 6, 2) BETWEEN '01' AND '03' THEN 1 ELSE 0 END) AS q1,
    SUM(CASE WHEN substr("datetime", 6, 2) BETWEEN '04' AND '06' THEN 1 ELSE 0 END) AS q2,
    SUM(CASE WHEN substr("datetime", 6, 2) BETWEEN '07' AND '09' THEN 1 ELSE 0 END) AS q3,
    SUM(CASE WHEN substr("datetime", 6, 2) BETWEEN '10' AND '12' THEN 1 ELSE 0 END) AS q4
  FROM hired_employees
  WHERE CAST(substr("datetime", 1, 4) AS INTEGER) = :year
  GROUP BY department_id, job_id
)
SELECT
  departments.department,
  jobs.job,
  hires.q1 AS "Q1",
  hires.q2 AS "Q2",
  hires.q3 AS "Q3",
  hires.q4 AS "Q4"
FROM hires
JOIN departments ON departments.id = hires.department_id
JOIN jobs ON jobs.id = hires.job_id
-- By bytes; the ids put names that occur twice into one order.
ORDER BY departments.department COLLATE BINARY, jobs.job COLLATE BINARY, departments.id, jobs.id
