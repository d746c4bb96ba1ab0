-- Employees hired in :year for each department and job, by quarter. Only pairs with hires in that year are listed.
--
-- One text for every database. A datetime, which one holds as text and another as a type of its own, is text for all of them
-- once it is cast to CHAR(30): YYYY-MM-DD first, in UTC, so that year and month stand at fixed places. The year is compared
-- as four digits too, since no cast to an integer is spelled alike everywhere: 10000 + :year has them at its end, with the
-- zeros that a year before 1000 needs. COUNT gives a whole number everywhere, where SUM may give a decimal. Counting by the
-- short ids first, and looking up the names after, keeps it fast on millions of rows.
WITH hires AS (
  SELECT
    department_id,
    job_id,
    COUNT(CASE WHEN substr(CAST("datetime" AS CHAR(30)), 6, 2) BETWEEN '01' AND '03' THEN 1 END) AS q1,
    COUNT(CASE WHEN substr(CAST("datetime" AS CHAR(30)), 6, 2) BETWEEN '04' AND '06' THEN 1 END) AS q2,
    COUNT(CASE WHEN substr(CAST("datetime" AS CHAR(30)), 6, 2) BETWEEN '07' AND '09' THEN 1 END) AS q3,
    COUNT(CASE WHEN substr(CAST("datetime" AS CHAR(30)), 6, 2) BETWEEN '10' AND '12' THEN 1 END) AS q4
  FROM hired_employees
  WHERE substr(CAST("datetime" AS CHAR(30)), 1, 4) = substr(CAST(10000 + :year AS CHAR(5)), 2, 4)
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
ORDER BY departments.department, jobs.job, departments.id, jobs.id
