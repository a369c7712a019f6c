-- kpis.md "Timestamps": one row a stay of a contact in a queue, from t_enq to t_deq with an outcome.
-- Of a stay whose arrival the topic no longer holds the departure alone is known: it was offered all the same.
create table stays as
with arrivals as (
    select tenant, contact, leg, queue, arg_min(channel, version) as channel, min(queued_at) as queued_at
    from contact_waiting group by all
), departures as (
    select tenant, contact, leg, queue,
        arg_min(channel, version) as channel, arg_min(queued_at, version) as queued_at,
        arg_min(outcome, version) as outcome, arg_min(left_at, version) as left_at,
        arg_min(accepted_at, version) as accepted_at,
        arg_min(agent, version) as agent, arg_min(team, version) as team
    from contact_dequeued group by all
)
select tenant, contact, leg, queue,
    coalesce(d.channel, a.channel) as channel,
    coalesce(d.queued_at, a.queued_at) as t_enq,
    d.outcome, d.left_at,
    case when d.outcome = 'answered' then d.agent end as agent,
    case when d.outcome = 'answered' then d.team end as team,
    case when d.outcome = 'answered' then greatest(0, d.accepted_at - d.queued_at) end as accept_ms,
    greatest(0, d.left_at - d.queued_at) as wait_ms
from arrivals a full outer join departures d using (tenant, contact, leg, queue);

-- an offer is made to one agent; it ends accepted, declined, expired or withdrawn
create table offers as
with told as (
    select tenant, contact, leg, queue, agent, team, happened, 'offers' as name from contact_offered
    union all select tenant, contact, leg, queue, agent, team, happened, 'offers_accepted' from offer_accepted
    union all select tenant, contact, leg, queue, agent, team, happened, 'offers_declined' from offer_declined
    union all select tenant, contact, leg, queue, agent, team, happened, 'offers_expired' from offer_expired
    union all select tenant, contact, leg, queue, agent, team, happened, 'offers_withdrawn' from offer_withdrawn
)
select told.*, s.channel, s.t_enq from told join stays s using (tenant, contact, leg, queue);
