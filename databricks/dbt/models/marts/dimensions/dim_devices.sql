-- One row for each device, with a health score from 0 to 100, over its last seven days with readings:
--   50 points  times the share of good readings (data_quality_pct)
--   30 points  less 1.5 for each percent of anomalies: none left from 20 percent on
--   20 points  less 20/7 for each day that the device has been silent while others of the fleet were not
-- 80 and more is healthy, 60 and more fair, 40 and more poor, less is critical. Silence is counted from the fleet's
-- newest reading, not from the clock: a lake that is behind makes no device sick (fleet_health shows that). A reading
-- of the future, from a clock that is ahead, is nobody's measure.
with days as (
    select
        *,
        row_number() over (partition by device_id order by event_date desc) as days_back
    from {{ ref('agg_daily_device_metrics') }}
),

fleet as (
    select max(last_event_time) as newest
    from days
    where last_event_time <= {{ build_time() }}
),

seen as (
    select
        device_id,
        min(first_event_time) as first_seen_at,
        max(last_event_time) as last_seen_at,
        sum(reading_count) as reading_count,
        sum(anomaly_count) as anomaly_count,
        sum(case when days_back <= 7 then reading_count end) as recent_readings,
        sum(case when days_back <= 7 then good_count end) as recent_good,
        sum(case when days_back <= 7 then anomaly_count end) as recent_anomalies
    from days
    group by device_id
),

scored as (
    select
        seen.*,
        round(
            50.0 * seen.recent_good / seen.recent_readings
            + greatest(0.0, 30.0 - 150.0 * seen.recent_anomalies / seen.recent_readings)
            + greatest(0.0, 20.0 - 20.0 * greatest(0, timestampdiff(second, seen.last_seen_at, fleet.newest)) / 604800),
            1
        ) as points
    from seen
    cross join fleet
)

select
    devices.device_id,
    devices._node_id,
    devices.sensor_id,
    devices.location_id,
    devices.sensor_type,
    devices.manufacturer,
    devices.model,
    devices.serial_number,
    devices.firmware_version,
    devices.deployment_type,
    scored.first_seen_at,
    scored.last_seen_at,
    coalesce(scored.reading_count, 0) as reading_count,
    coalesce(scored.anomaly_count, 0) as anomaly_count,
    coalesce(scored.points, 0) as health_score,
    case
        when scored.points >= 80 then 'healthy'
        when scored.points >= 60 then 'fair'
        when scored.points >= 40 then 'poor'
        else 'critical'
    end as health_status
from {{ ref('stg_devices') }} as devices
left join scored on devices.device_id = scored.device_id
