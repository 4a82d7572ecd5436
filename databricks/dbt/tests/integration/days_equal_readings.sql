-- Days whose figures are not those of their readings, as they are now: a late reading must have changed its day.
with readings as (
    select
        device_id,
        event_date,
        count(*) as readings,
        max(temperature) as hottest
    from {{ ref('fct_iot_events') }}
    where event_date is not null
    group by device_id, event_date
)

select *
from readings
full outer join {{ ref('agg_daily_device_metrics') }} as days using (device_id, event_date)
where
    not (readings.readings <=> days.reading_count)
    or not (readings.hottest <=> days.temperature_max)
