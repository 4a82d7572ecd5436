-- One row for each place, with the devices whose newest reading is from there.
select
    locations.location_id,
    locations.location,
    locations.timezone,
    locations.latitude,
    locations.longitude,
    count(devices.device_id) as device_count,
    count(distinct devices._node_id) as node_count
from {{ ref('stg_locations') }} as locations
left join {{ ref('stg_devices') }} as devices on locations.location_id = devices.location_id
group by
    locations.location_id,
    locations.location,
    locations.timezone,
    locations.latitude,
    locations.longitude
