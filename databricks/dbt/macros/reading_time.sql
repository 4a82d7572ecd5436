{#
  A timestamp from text, by the rule of the uploader (src/sqlite/timestamp-micros.ts), so that raw and emergency readings
  have the time that schematized ones have: ISO 8601, or a number since the epoch, which its size tells to be of seconds,
  milliseconds, microseconds or nanoseconds. Null where it is neither, or outside of the years 1 to 9999: Spark would take
  12:30 for a time of today, and 20261 for a year. Text without an offset is UTC, as the session's time zone must be.
#}
{% macro reading_time(column) -%}
    {%- set number = 'try_cast(' ~ column ~ ' as decimal(38, 9))' -%}
    case
        when {{ column }} rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]|$)'
            then try_cast(upper(replace({{ column }}, ',', '.')) as timestamp)
        when {{ number }} < -62135596800 then null
        when abs({{ number }}) < 1e11 then timestamp_micros(cast(round({{ number }} * 1000000) as bigint))
        when abs({{ number }}) < 1e14 then timestamp_micros(cast(round({{ number }} * 1000) as bigint))
        when abs({{ number }}) < 1e17 then timestamp_micros(cast(floor({{ number }}) as bigint))
        when abs({{ number }}) < 1e20 then timestamp_micros(cast(floor({{ number }} / 1000) as bigint))
    end
{%- endmacro %}
