{#
  A timestamp from text: ISO 8601, or epoch seconds, milliseconds, microseconds or nanoseconds, told apart by their
  digits (docs/OBJECTS.md). Null where it is neither. Text without an offset is UTC, as the session's time zone must be.
#}
{% macro reading_time(column) -%}
    case
        when {{ column }} rlike '^[0-9]{9,10}$' then timestamp_seconds(try_cast({{ column }} as bigint))
        when {{ column }} rlike '^[0-9]{13}$' then timestamp_millis(try_cast({{ column }} as bigint))
        when {{ column }} rlike '^[0-9]{16}$' then timestamp_micros(try_cast({{ column }} as bigint))
        when {{ column }} rlike '^[0-9]{19}$' then timestamp_micros(try_cast({{ column }} as bigint) div 1000)
        else try_cast({{ column }} as timestamp)
    end
{%- endmacro %}
