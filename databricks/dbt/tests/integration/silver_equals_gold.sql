-- Readings and alerts that are in one of the layers only.
select
    silver.event_id,
    gold.event_id as in_gold,
    'reading' as what
from {{ ref('stg_iot_events') }} as silver
full outer join {{ ref('fct_iot_events') }} as gold on silver.event_id = gold.event_id
where silver.event_id is null or gold.event_id is null

union all

select
    silver.event_id,
    gold.alert_id as in_gold,
    'alert' as what
from {{ ref('stg_alerts') }} as silver
full outer join {{ ref('fct_alerts') }} as gold on silver.event_id = gold.alert_id
where silver.event_id is null or gold.alert_id is null
