{{ config(materialized='incremental', incremental_strategy='merge', unique_key='alert_id') }}

-- One row for each alert. A value outside what a sensor can measure is critical whatever the sensor calls it; the rest
-- goes by the kind of the anomaly. A kind that is not known is medium, so that nobody overlooks it.
with judged as (
    select
        *,
        case
            when not is_plausible then 4
            when alert_type = 'spike' then 4
            when alert_type = 'missing_data' then 3
            when alert_type = 'noise' then 1
            else 2
        end as severity_weight
    from {{ ref('stg_alerts') }}
    {% if is_incremental() %}
    where loaded_at > (select coalesce(max(built.loaded_at), timestamp '1970-01-01') from {{ this }} as built)
    {% endif %}
)

select
    event_id as alert_id,
    device_id,
    location_id,
    event_date,
    event_time,
    alert_type,
    element_at(array('low', 'medium', 'high', 'critical'), severity_weight) as severity,
    severity_weight,
    status_code,
    temperature,
    humidity,
    pressure,
    vibration,
    voltage,
    pipeline_type,
    _node_id,
    loaded_at
from judged
