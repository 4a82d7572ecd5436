-- One row for each place that a reading names. Sensors of a place differ by some metres: its position is their mean.
select
    location_id,
    location,
    max(original_timezone) as timezone,
    round(avg(latitude), 4) as latitude,
    round(avg(longitude), 4) as longitude
from {{ ref('stg_iot_events') }}
where location_id is not null
group by location_id, location
