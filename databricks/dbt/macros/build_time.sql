{# When this run of dbt began: the same in all its models, so that a model finds what is new in the one it reads. #}
{% macro build_time() -%}
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp)
{%- endmacro %}
