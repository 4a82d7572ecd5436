{{ config(materialized='incremental', incremental_strategy='merge', unique_key='event_id') }}

-- Every reading once, from whichever pipeline type it came, typed. A run takes what bronze has taken since the last
-- one: of each bronze table by itself, since these run ahead of one another; the batches of one table are in order.
{% if is_incremental() %}
with taken as (
    select
        pipeline_type,
        max(_ingested_at) as up_to
    from {{ this }}
    group by pipeline_type
),

readings as (
{% else %}
with readings as (
{% endif %}
    select * from {{ ref('base_readings_raw') }}
    union all
    select * from {{ ref('base_readings_schematized') }}
    union all
    select * from {{ ref('base_readings_emergency') }}
),

fresh as (
    select readings.*
    from readings
    {% if is_incremental() %}
    left join taken on readings.pipeline_type = taken.pipeline_type
    where taken.up_to is null or readings._ingested_at > taken.up_to
    {% endif %}
),

typed as (
    select
        {{ surrogate_key(['_node_id', '_generation', '_rowid', "'" ~ var('source_table') ~ "'"]) }} as event_id,
        {{ surrogate_key(['_node_id', 'sensor_id']) }} as device_id,
        case when location is not null then {{ surrogate_key(['location']) }} end as location_id,
        '{{ var("source_table") }}' as source_table,
        pipeline_type,
        {{ reading_time('`timestamp`') }} as event_time,
        sensor_id,
        temperature,
        humidity,
        pressure,
        vibration,
        voltage,
        status_code,
        coalesce(anomaly_flag = 1, false) as is_anomaly,
        nullif(trim(anomaly_type), '') as anomaly_type,
        firmware_version,
        model,
        manufacturer,
        serial_number,
        sensor_type,
        deployment_type,
        location,
        latitude,
        longitude,
        original_timezone,
        _rescued is null as is_unaltered,
        {{ is_complete() }} as is_complete,
        {{ is_plausible() }} as is_plausible,
        _node_id,
        _generation,
        _rowid,
        _rescued,
        _extracted_at,
        _ingested_at,
        _object_key
    from fresh
),

-- The same object put twice is a finding of ingest_audit; here its rows are there once.
ranked as (
    select
        *,
        row_number() over (partition by event_id order by _extracted_at, _object_key) as place
    from typed
)

select
    * except (place),
    cast(event_time as date) as event_date,
    event_time is not null and is_unaltered and is_complete and is_plausible as is_good,
    {{ build_time() }} as loaded_at
from ranked
where place = 1
