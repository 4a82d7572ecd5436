{{ config(materialized='table') }}
{% set bronze = source('bronze', 'aggregated_readings') %}
{% set columns = column_names(bronze) %}

-- One row for each node, window and group, whatever extractions its figures came in, by the rule of docs/OBJECTS.md.
-- Made anew by each run: a window may get more figures at any time.
with partial as (
    select
        _node_id,
        window_start,
        window_end,
        reading_count,
        {{ column_or_null(columns, 'anomaly_count', 'bigint') }},
        {% for quantity in var('plausible') %}
        {{ column_or_null(columns, quantity ~ '_count', 'bigint') }},
        {{ column_or_null(columns, quantity ~ '_sum', 'double') }},
        {{ column_or_null(columns, quantity ~ '_min', 'double') }},
        {{ column_or_null(columns, quantity ~ '_max', 'double') }},
        {{ column_or_null(columns, quantity ~ '_sum_sq', 'double') }},
        {% endfor %}
        {{ column_or_null(columns, 'sensor_id', 'string') }},
        {{ column_or_null(columns, 'location', 'string') }}
    from {{ bronze }}
)

select
    {{ surrogate_key(['_node_id', 'window_start', 'window_end', 'sensor_id', 'location']) }} as aggregate_id,
    {{ surrogate_key(['_node_id', 'sensor_id']) }} as device_id,
    _node_id,
    sensor_id,
    location,
    window_start,
    window_end,
    cast(window_start as date) as event_date,
    {% for quantity in var('plausible') %}
    sum({{ quantity }}_count) as {{ quantity }}_count,
    sum({{ quantity }}_sum) as {{ quantity }}_sum,
    min({{ quantity }}_min) as {{ quantity }}_min,
    max({{ quantity }}_max) as {{ quantity }}_max,
    try_divide(sum({{ quantity }}_sum), sum({{ quantity }}_count)) as {{ quantity }}_avg,
    sum({{ quantity }}_sum_sq) as {{ quantity }}_sum_sq,
    {% endfor %}
    sum(anomaly_count) as anomaly_count,
    sum(reading_count) as reading_count
from partial
group by _node_id, window_start, window_end, sensor_id, location
