-- Nodes of which bronze has other readings, told apart by their key, than silver.
with bronze as (
    select
        _node_id,
        count(distinct _generation, _rowid) as readings
    from (
        select
            _node_id,
            _generation,
            _rowid
        from {{ source('bronze', 'raw_readings') }}
        union all
        select
            _node_id,
            _generation,
            _rowid
        from {{ source('bronze', 'schematized_readings') }}
        union all
        select
            _node_id,
            _generation,
            _rowid
        from {{ source('bronze', 'emergency_readings') }}
    )
    group by _node_id
),

silver as (
    select
        _node_id,
        count(*) as readings
    from {{ ref('stg_iot_events') }}
    group by _node_id
)

select
    coalesce(bronze._node_id, silver._node_id) as _node_id,
    bronze.readings as in_bronze,
    silver.readings as in_silver
from bronze
full outer join silver on bronze._node_id = silver._node_id
where not (bronze.readings <=> silver.readings)
