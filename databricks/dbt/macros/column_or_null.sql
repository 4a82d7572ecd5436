{#
  A column of a bronze table as `type`, or a null where the table does not have it (yet): bronze takes columns from the
  objects, and a pipeline type that no node has used has none but those of every object. `columns` are the names that
  the table has, in small letters. A value that is not of the type becomes null; bronze keeps what it was.
#}
{% macro column_or_null(columns, name, type) -%}
    {% if name in columns -%}
        try_cast(`{{ name }}` as {{ type }}) as `{{ name }}`
    {%- else -%}
        cast(null as {{ type }}) as `{{ name }}`
    {%- endif %}
{%- endmacro %}

{% macro column_names(relation) -%}
    {% set names = [] -%}
    {% for column in adapter.get_columns_in_relation(relation) if execute -%}
        {% do names.append(column.name | lower) -%}
    {% endfor -%}
    {{ return(names) }}
{%- endmacro %}
