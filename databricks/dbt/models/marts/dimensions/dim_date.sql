-- One row for each day that a reading is of, and for each one from vars.first_date to the end of next year.
with calendar as (
    select
        explode(sequence(
            date '{{ var("first_date") }}',
            make_date(year(current_date()) + 1, 12, 31),
            interval 1 day
        )) as date_day
),

days as (
    select date_day from calendar
    union
    select event_date as date_day
    from {{ ref('stg_iot_events') }}
    where event_date is not null
    union
    select event_date as date_day
    from {{ ref('stg_aggregates') }}
    where event_date is not null
)

select
    date_day,
    year(date_day) as year,
    quarter(date_day) as quarter,
    month(date_day) as month,
    date_format(date_day, 'MMMM') as month_name,
    weekofyear(date_day) as iso_week,
    day(date_day) as day_of_month,
    weekday(date_day) + 1 as iso_weekday,
    date_format(date_day, 'EEEE') as weekday_name,
    weekday(date_day) >= 5 as is_weekend
from days
