-- A value that did not fit its column is null there, and in _rescued as it was.
select
    event_id,
    _node_id,
    _rowid,
    is_unaltered,
    _rescued
from {{ ref('stg_iot_events') }}
where is_unaltered = (_rescued is not null)
