{# Whether a reading has all its quantities, and whether those that it has are plausible (vars.plausible). #}
{% macro is_complete() -%}
    (
        {%- for quantity in var('plausible') %}
        {{ quantity }} is not null{{ ' and' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{% macro is_plausible() -%}
    (
        {%- for quantity, range in var('plausible').items() %}
        coalesce({{ quantity }} between {{ range[0] }} and {{ range[1] }}, true){{ ' and' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
