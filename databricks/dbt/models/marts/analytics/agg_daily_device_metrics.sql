{{ config(materialized='incremental', incremental_strategy='merge', unique_key='metric_id') }}

-- One row for each device and UTC day of its readings. A run makes those days anew, whole, that got readings since the
-- last one: a reading that is late by weeks changes its own day.
{% if is_incremental() %}
with affected as (
    select distinct
        device_id,
        event_date
    from {{ ref('fct_iot_events') }}
    where loaded_at > (select coalesce(max(built.loaded_at), timestamp '1970-01-01') from {{ this }} as built)
),

readings as (
    select events.*
    from {{ ref('fct_iot_events') }} as events
    inner join affected
        on events.device_id = affected.device_id and events.event_date = affected.event_date
)
{% else %}
with readings as (
    select * from {{ ref('fct_iot_events') }}
)
{% endif %}

select
    {{ surrogate_key(['device_id', 'event_date']) }} as metric_id,
    device_id,
    event_date,
    count(*) as reading_count,
    count_if(is_anomaly) as anomaly_count,
    count_if(is_good) as good_count,
    round(100.0 * count_if(is_good) / count(*), 2) as data_quality_pct,
    {% for quantity in var('plausible') %}
    avg({{ quantity }}) as {{ quantity }}_avg,
    min({{ quantity }}) as {{ quantity }}_min,
    max({{ quantity }}) as {{ quantity }}_max,
    stddev_samp({{ quantity }}) as {{ quantity }}_stddev,
    {% endfor %}
    min(event_time) as first_event_time,
    max(event_time) as last_event_time,
    max(loaded_at) as loaded_at
from readings
where event_date is not null
group by device_id, event_date
