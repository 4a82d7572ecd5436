-- Nodes of which bronze has other rejected rows than fleet_health says.
with bronze as (
    select
        _node_id,
        count(*) as rejected
    from {{ source('bronze', 'rejected_readings') }}
    group by _node_id
)

select
    coalesce(gold._node_id, bronze._node_id) as _node_id,
    bronze.rejected as in_bronze,
    gold.rejected_rows as in_gold
from {{ ref('fleet_health') }} as gold
full outer join bronze on gold._node_id = bronze._node_id
where coalesce(bronze.rejected, 0) <> coalesce(gold.rejected_rows, 0)
