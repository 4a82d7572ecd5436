{{ config(severity='warn') }}

-- A reading cannot be younger than its extraction, but for clocks that differ.
select
    event_id,
    _node_id,
    event_time,
    _extracted_at
from {{ ref('fct_iot_events') }}
where event_time > _extracted_at + interval 1 day
