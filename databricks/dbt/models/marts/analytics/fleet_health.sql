-- One row for each node that has ever shipped anything: how far it is, and what of its rows was rejected. Rows are
-- those of vars.source_table; a node is heard of by whatever it ships.
with shipped as (
    select
        node_id as _node_id,
        sum(case when `table` = '{{ var("source_table") }}' then rejected_rows else 0 end) as rejected_rows,
        max(last_object_at) as last_object_at
    from {{ source('bronze', 'ingest_nodes') }}
    where node_id is not null
    group by node_id
),

single as (
    select
        _node_id,
        count(*) as event_rows,
        count(distinct device_id) as device_count,
        min(event_time) as first_reading_at,
        max(event_time) as last_reading_at
    from {{ ref('fct_iot_events') }}
    group by _node_id
),

in_windows as (
    select
        _node_id,
        sum(reading_count) as aggregated_rows,
        min(window_start) as first_reading_at,
        max(window_end) as last_reading_at
    from {{ ref('stg_aggregates') }}
    group by _node_id
),

nodes as (
    select
        shipped._node_id,
        coalesce(single.device_count, 0) as device_count,
        coalesce(single.event_rows, 0) as event_rows,
        coalesce(in_windows.aggregated_rows, 0) as aggregated_rows,
        shipped.rejected_rows,
        least(single.first_reading_at, in_windows.first_reading_at) as first_reading_at,
        greatest(single.last_reading_at, in_windows.last_reading_at) as last_reading_at,
        shipped.last_object_at
    from shipped
    left join single on shipped._node_id = single._node_id
    left join in_windows on shipped._node_id = in_windows._node_id
)

select
    _node_id,
    device_count,
    event_rows,
    aggregated_rows,
    rejected_rows,
    first_reading_at,
    last_reading_at,
    last_object_at,
    timestampdiff(second, last_reading_at, {{ build_time() }}) as lag_seconds,
    round(
        (event_rows + aggregated_rows + rejected_rows)
        / (datediff(cast(last_reading_at as date), cast(first_reading_at as date)) + 1),
        1
    ) as rows_per_day,
    coalesce(try_divide(rejected_rows, event_rows + aggregated_rows + rejected_rows), 0) as rejected_share,
    {{ build_time() }} as measured_at
from nodes
