-- The three layers. By the mark notebooks/99_teardown knows them again.

CREATE SCHEMA IF NOT EXISTS IDENTIFIER(:bronze)
  COMMENT 'Rows of the objects as they are, and the audit of their completeness'
  WITH DBPROPERTIES ('iot_streaming.made_by' = :mark);

CREATE SCHEMA IF NOT EXISTS IDENTIFIER(:silver)
  COMMENT 'Events, alerts and aggregates, typed and united (dbt staging)'
  WITH DBPROPERTIES ('iot_streaming.made_by' = :mark);

CREATE SCHEMA IF NOT EXISTS IDENTIFIER(:gold)
  COMMENT 'Dimensions, facts and analytics (dbt marts)'
  WITH DBPROPERTIES ('iot_streaming.made_by' = :mark);
