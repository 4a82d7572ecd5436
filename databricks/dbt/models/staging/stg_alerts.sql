-- Readings that somebody should look at: those the sensor flags, and all that a node's emergency filter let through.
select
    event_id,
    device_id,
    location_id,
    pipeline_type,
    event_time,
    event_date,
    coalesce(anomaly_type, 'unknown') as alert_type,
    status_code,
    temperature,
    humidity,
    pressure,
    vibration,
    voltage,
    is_plausible,
    _node_id,
    loaded_at
from {{ ref('stg_iot_events') }}
where is_anomaly or pipeline_type = 'emergency'
