-- What the audit of the objects names: missing, twice, set aside, other rows than the key says.
select *
from {{ source('bronze', 'ingest_audit') }}
where severity = 'error'
