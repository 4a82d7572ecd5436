-- The credential by which Unity Catalog reads the buckets. SQL has no statement that makes one: notebooks/01_setup does
-- it, or somebody who may, by
--
--   databricks storage-credentials create --json \
--     '{"name": "s3_sensor_data", "aws_iam_role": {"role_arn": "arn:aws:iam::ACCOUNT:role/ROLE"}, "read_only": true}'
--
-- The answer has `unity_catalog_iam_arn` and `external_id`, which go into the role's trust policy
-- (iam-trust-policy.json); what the role may do is in iam-policy.json.

DESCRIBE STORAGE CREDENTIAL IDENTIFIER(:credential);
