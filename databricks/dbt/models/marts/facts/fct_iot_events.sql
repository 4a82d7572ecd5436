{{ config(materialized='incremental', incremental_strategy='merge', unique_key='event_id') }}

-- One row for each reading that came row by row, and was not rejected.
select
    event_id,
    device_id,
    location_id,
    event_date,
    event_time,
    source_table,
    pipeline_type,
    temperature,
    humidity,
    pressure,
    vibration,
    voltage,
    status_code,
    is_anomaly,
    anomaly_type,
    firmware_version,
    is_unaltered,
    is_complete,
    is_plausible,
    is_good,
    _node_id,
    _generation,
    _rowid,
    _extracted_at,
    loaded_at
from {{ ref('stg_iot_events') }}
{% if is_incremental() %}
where loaded_at > (select coalesce(max(built.loaded_at), timestamp '1970-01-01') from {{ this }} as built)
{% endif %}
