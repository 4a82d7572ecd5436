-- The catalog of a target. Where the metastore has no storage of its own, make the catalog by hand, with MANAGED
-- LOCATION and the URL of a bucket for tables; this statement then changes nothing.

CREATE CATALOG IF NOT EXISTS IDENTIFIER(:catalog) COMMENT 'Sensor readings of the edge: bronze, silver, gold';
