-- One row for each sensor of each node, with the attributes of its newest reading: ids of sensors are a node's own.
with newest as (
    select
        *,
        row_number() over (
            partition by device_id
            order by event_time desc nulls last, _generation desc, _rowid desc
        ) as place
    from {{ ref('stg_iot_events') }}
)

select
    device_id,
    _node_id,
    sensor_id,
    location_id,
    sensor_type,
    manufacturer,
    model,
    serial_number,
    firmware_version,
    deployment_type,
    event_time as as_of
from newest
where place = 1
