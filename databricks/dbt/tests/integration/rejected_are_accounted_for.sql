-- Nodes of which bronze has other rejected rows than fleet_health says.
with bronze as (
    select
        _node_id,
        count(*) as rejected
    from {{ source('bronze', 'rejected_readings') }}
    group by _node_id
)

select *
from {{ ref('fleet_health') }} as gold
full outer join bronze using (_node_id)
where coalesce(bronze.rejected, 0) <> coalesce(gold.rejected_rows, 0)
