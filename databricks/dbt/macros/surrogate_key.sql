{# The SHA-256 of the columns' values, hex. A null and a text that reads like the mark of a null differ. #}
{% macro surrogate_key(columns) -%}
    sha2(
        to_json(struct(
            {%- for column in columns %}
            cast({{ column }} as string) as k{{ loop.index }}{{ ',' if not loop.last }}
            {%- endfor %}
        )),
        256
    )
{%- endmacro %}
