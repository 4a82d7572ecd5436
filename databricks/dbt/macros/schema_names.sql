{# dev_bronze, dev_silver, dev_gold: the prefix is that of the target's own schema, which is {prefix}_silver. #}
{% macro schema_of(layer) -%}
    {{ target.schema | replace('_silver', '') }}_{{ layer }}
{%- endmacro %}

{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ schema_of(custom_schema_name or 'silver') | trim }}
{%- endmacro %}
