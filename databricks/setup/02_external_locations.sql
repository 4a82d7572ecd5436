-- One external location for each bucket, named as the bucket. Needs CREATE EXTERNAL LOCATION on the metastore and on
-- the credential.
--
-- Network. S3 is reached through a gateway endpoint (com.amazonaws.REGION.s3) in the route tables of the workspace's
-- subnets: it costs nothing, and traffic does not pass the NAT gateway. Where the endpoint or the bucket has a policy
-- (aws:sourceVpce), name the endpoint there, and let Databricks' own control plane and serverless compute through,
-- if either is to read the buckets. Buckets in another region are read across regions, which costs; VPC peering does
-- not help, since gateway endpoints are not reached over a peering. Peering is for other things in another VPC, such
-- as a Kafka cluster.

CREATE EXTERNAL LOCATION IF NOT EXISTS IDENTIFIER(:location_raw)
  URL :url_raw WITH (STORAGE CREDENTIAL IDENTIFIER(:credential))
  COMMENT 'Objects of the uploader, pipeline type raw';

CREATE EXTERNAL LOCATION IF NOT EXISTS IDENTIFIER(:location_schematized)
  URL :url_schematized WITH (STORAGE CREDENTIAL IDENTIFIER(:credential))
  COMMENT 'Objects of the uploader, pipeline type schematized, and rejected rows';

CREATE EXTERNAL LOCATION IF NOT EXISTS IDENTIFIER(:location_aggregated)
  URL :url_aggregated WITH (STORAGE CREDENTIAL IDENTIFIER(:credential))
  COMMENT 'Objects of the uploader, pipeline type aggregated';

CREATE EXTERNAL LOCATION IF NOT EXISTS IDENTIFIER(:location_emergency)
  URL :url_emergency WITH (STORAGE CREDENTIAL IDENTIFIER(:credential))
  COMMENT 'Objects of the uploader, pipeline type emergency';
