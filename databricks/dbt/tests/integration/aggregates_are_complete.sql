-- Nodes whose merged windows count other readings than the partial ones of bronze.
with bronze as (
    select
        _node_id,
        sum(reading_count) as readings
    from {{ source('bronze', 'aggregated_readings') }}
    group by _node_id
),

silver as (
    select
        _node_id,
        sum(reading_count) as readings
    from {{ ref('stg_aggregates') }}
    group by _node_id
)

select
    coalesce(bronze._node_id, silver._node_id) as _node_id,
    bronze.readings as in_bronze,
    silver.readings as in_silver
from bronze
full outer join silver on bronze._node_id = silver._node_id
where not (bronze.readings <=> silver.readings)
