-- What the audit of the objects names: missing, twice, set aside, other rows than the key says.
select
    kind,
    node,
    `table`,
    generation,
    sequence,
    part,
    object_key,
    detail
from {{ source('bronze', 'ingest_audit') }}
where severity = 'error'
