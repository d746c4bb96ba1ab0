-- The departments that hired more employees in :year than the mean over the departments that hired in that year, most
-- first.
--
-- One text for every database: why the year is compared as text stands in hires_by_quarter.sql.
--
-- hired > total / departments is written as hired * departments > total: whole numbers only, so nothing is rounded.
WITH hires AS (
  SELECT department_id, COUNT(*) AS hired
  FROM hired_employees
  WHERE substr(CAST("datetime" AS CHAR(30)), 1, 4) = substr(CAST(10000 + :year AS CHAR(5)), 2, 4)
  GROUP BY department_id
),
sums AS (
  SELECT SUM(hired) AS total, COUNT(*) AS departments
  FROM hires
)
SELECT departments.id, departments.department, hires.hired
FROM hires
CROSS JOIN sums
JOIN departments ON departments.id = hires.department_id
WHERE hires.hired * sums.departments > sums.total
ORDER BY hires.hired DESC, departments.id
