-- The ledger: every fact of an agent begins a state that lasts until the agent's next one; the states partition the shift.
create table agent_steps as
with told as (
    select tenant, stream, version, happened, agent, team, 'signed_in' as fact, '' as work from agent_signed_in
    union all select tenant, stream, version, happened, agent, team, 'checked_in', '' from agent_checked_in
    union all select tenant, stream, version, happened, agent, team, 'ready', '' from agent_ready
    union all select tenant, stream, version, happened, agent, team, 'not_ready', '' from agent_not_ready
    union all select tenant, stream, version, happened, agent, team, 'checked_out', '' from agent_checked_out
    union all select tenant, stream, version, happened, agent, team, 'signed_out', '' from agent_signed_out
    union all select tenant, stream, version, happened, agent, team, 'work', contact || '/' || leg from work_started
    union all select tenant, stream, version, happened, agent, team,
        case when wrap_up_follows then 'same' else 'free' end, contact || '/' || leg from work_ended
    union all select tenant, stream, version, happened, agent, team, 'wrap', contact || '/' || leg from wrap_up_started
    union all select tenant, stream, version, happened, agent, team, 'unwrap', contact || '/' || leg from wrap_up_ended
    union all select tenant, stream, version, happened, agent, team, 'same', '' from team_assigned
), counted as (
    select *,
        last_value(case fact when 'signed_in' then true when 'checked_out' then true when 'signed_out' then false end
            ignore nulls) over w as signed_in,
        last_value(case fact when 'checked_in' then true when 'checked_out' then false when 'signed_in' then false
            when 'signed_out' then false end ignore nulls) over w as checked_in,
        last_value(case fact when 'ready' then true when 'not_ready' then false when 'checked_in' then false
            when 'checked_out' then false when 'signed_in' then false when 'signed_out' then false end
            ignore nulls) over w as ready,
        sum(case fact when 'work' then 1 when 'free' then -1 when 'wrap' then -1 else 0 end) over w as talking,
        sum(case fact when 'wrap' then 1 when 'unwrap' then -1 else 0 end) over w as wrapping,
        lead(happened) over (partition by tenant, stream order by version) as end_
    from told
    window w as (partition by tenant, stream order by version rows unbounded preceding)
)
select tenant, agent, team, happened as start, end_,
    coalesce(signed_in, false) as signed_in, coalesce(checked_in, false) as checked_in,
    talking > 0 or wrapping > 0 as busy,
    coalesce(ready, false) and talking <= 0 and wrapping <= 0 as ready,
    greatest(talking, 0) + greatest(wrapping, 0) as slots,
    case
        when not coalesce(signed_in, false) then 'signed_out'
        when talking > 0 then 'busy' when wrapping > 0 then 'wrap_up'
        when not coalesce(checked_in, false) then 'signed_in'
        when ready then 'ready' else 'not_ready' end as state
from counted;

create table agent_spans as
select 'busy' as name, tenant, agent, team, start, end_ from agent_steps where busy and end_ is not null
union all select 'ready', tenant, agent, team, start, end_ from agent_steps where ready and end_ is not null
union all select 'signed_in', tenant, agent, team, start, end_ from agent_steps where signed_in and end_ is not null;
