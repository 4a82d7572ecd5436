{# Rows of one row-wise bronze table, with the same columns whatever the table has. #}
{% macro readings_of(pipeline_type) -%}
{% set bronze = source('bronze', pipeline_type ~ '_readings') -%}
{% set columns = column_names(bronze) -%}
select
    '{{ pipeline_type }}' as pipeline_type,
    `_node_id`,
    `_generation`,
    `_rowid`,
    `_extracted_at`,
    `_ingested_at`,
    `_object_key`,
    `_rescued`,
    {{ column_or_null(columns, 'timestamp', 'string') }},
    {{ column_or_null(columns, 'sensor_id', 'string') }},
    {{ column_or_null(columns, 'temperature', 'double') }},
    {{ column_or_null(columns, 'humidity', 'double') }},
    {{ column_or_null(columns, 'pressure', 'double') }},
    {{ column_or_null(columns, 'vibration', 'double') }},
    {{ column_or_null(columns, 'voltage', 'double') }},
    {{ column_or_null(columns, 'status_code', 'bigint') }},
    {{ column_or_null(columns, 'anomaly_flag', 'bigint') }},
    {{ column_or_null(columns, 'anomaly_type', 'string') }},
    {{ column_or_null(columns, 'firmware_version', 'string') }},
    {{ column_or_null(columns, 'model', 'string') }},
    {{ column_or_null(columns, 'manufacturer', 'string') }},
    {{ column_or_null(columns, 'serial_number', 'string') }},
    {{ column_or_null(columns, 'sensor_type', 'string') }},
    {{ column_or_null(columns, 'deployment_type', 'string') }},
    {{ column_or_null(columns, 'location', 'string') }},
    {{ column_or_null(columns, 'latitude', 'double') }},
    {{ column_or_null(columns, 'longitude', 'double') }},
    {{ column_or_null(columns, 'original_timezone', 'string') }}
from {{ bronze }}
{%- endmacro %}
