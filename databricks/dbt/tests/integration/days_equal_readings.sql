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

select
    coalesce(readings.device_id, gold.device_id) as device_id,
    coalesce(readings.event_date, gold.event_date) as event_date,
    readings.readings as readings_now,
    gold.reading_count as readings_of_day,
    readings.hottest as hottest_now,
    gold.temperature_max as hottest_of_day
from readings
full outer join {{ ref('agg_daily_device_metrics') }} as gold
    on readings.device_id = gold.device_id and readings.event_date = gold.event_date
where
    not (readings.readings <=> gold.reading_count)
    or not (readings.hottest <=> gold.temperature_max)
