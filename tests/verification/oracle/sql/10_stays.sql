-- kpis.md "Timestamps": one row a stay of a contact in a queue, from t_enq to t_deq with an outcome.
-- Of a stay whose arrival the topic no longer holds the departure alone is known: it was offered all the same.
create table stays as
with arrivals as (
    select tenant, contact, leg, queue, arg_min(channel, version) as channel, min(queued_at) as queued_at,
        arg_min(arrived_at, version) as arrived_at,
        arg_min(estimated_wait_p50_ms, version) as ewt_p50_ms, arg_min(estimated_wait_p90_ms, version) as ewt_p90_ms
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
    coalesce(d.queued_at, a.queued_at) as t_enq, coalesce(a.arrived_at, a.queued_at) as arrived_at,
    d.outcome, d.left_at,
    case when d.outcome = 'answered' then d.agent end as agent,
    case when d.outcome = 'answered' then d.team end as team,
    case when d.outcome = 'answered' and d.accepted_at is not null then greatest(0, d.accepted_at - d.queued_at) end as accept_ms,
    greatest(0, d.left_at - d.queued_at) as wait_ms,
    nullif(a.ewt_p90_ms, 0) as ewt_p90_ms, case when a.ewt_p90_ms > 0 then a.ewt_p50_ms end as ewt_p50_ms
from arrivals a full outer join departures d using (tenant, contact, leg, queue);

-- An offer is made to one agent; however it ends, it counts when it was made: the share that failed is one of the made.
create table offers as
with made as (
    select tenant, contact, leg, queue, offer_id, arg_min(agent, version) as agent, arg_min(team, version) as team,
        min(happened) as happened
    from contact_offered group by all
), told as (
    select tenant, offer_id, 'offers' as name from made
    union all select distinct tenant, offer_id, 'offers_accepted' from offer_accepted
    union all select distinct tenant, offer_id, 'offers_declined' from offer_declined
    union all select distinct tenant, offer_id, 'offers_expired' from offer_expired
    union all select distinct tenant, offer_id, 'offers_withdrawn' from offer_withdrawn
)
select m.tenant, m.contact, m.leg, m.queue, m.agent, m.team, m.happened, t.name, s.channel, s.t_enq
from told t join made m using (tenant, offer_id) join stays s using (tenant, contact, leg, queue);
