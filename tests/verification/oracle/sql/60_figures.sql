-- kpis.md, line by line. A, B, S, F, C as there; a ratio without a denominator is undefined.
create macro ratio(part, whole) as case when whole = 0 then null else part::double / whole end;

create table counted as
select attribution, tenant, step, start, end_, groups, queue, channel, agent, team,
    coalesce(sum(value) filter (name = 'offered'), 0)::bigint as offered,
    coalesce(sum(value) filter (name = 'answered'), 0)::bigint as answered,
    coalesce(sum(value) filter (name in ('abandoned', 'short_abandoned')), 0)::bigint as abandoned,
    coalesce(sum(value) filter (name = 'short_abandoned'), 0)::bigint as short_abandoned,
    coalesce(sum(value) filter (name = 'flowed_out'), 0)::bigint as flowed_out,
    coalesce(sum(value) filter (name = 'callback'), 0)::bigint as callback,
    coalesce(sum(value) filter (name = 'timed_out'), 0)::bigint as timed_out,
    coalesce(sum(value) filter (name = 'blocked'), 0)::bigint as blocked,
    coalesce(sum(value) filter (name = 'failed'), 0)::bigint as failed,
    coalesce(sum(value) filter (name = 'waiting'), 0)::bigint as waiting,
    coalesce(sum(value) filter (name = 'transferred'), 0)::bigint as transferred,
    coalesce(sum(value) filter (name = 'handled'), 0)::bigint as handled,
    coalesce(sum(value) filter (name = 'accepted'), 0)::bigint as accepted,
    coalesce(sum(value) filter (name = 'offers'), 0)::bigint as offers,
    coalesce(sum(value) filter (name = 'offers_declined'), 0)::bigint as offers_declined,
    coalesce(sum(value) filter (name = 'offers_expired'), 0)::bigint as offers_expired,
    coalesce(sum(value) filter (name = 'started'), 0)::bigint as started,
    coalesce(sum(value) filter (name = 'system_connected'), 0)::bigint as system_connected,
    coalesce(sum(value) filter (name = 'ivr_entered'), 0)::bigint as ivr_entered,
    coalesce(sum(value) filter (name = 'ivr_contained'), 0)::bigint as ivr_contained,
    coalesce(sum(value) filter (name = 'answered_by_system'), 0)::bigint as answered_by_system,
    coalesce(sum(value) filter (name = 'blocked_unqueued'), 0)::bigint as blocked_unqueued,
    coalesce(sum(value) filter (name = 'trunk_seizures'), 0)::bigint as trunk_seizures,
    coalesce(sum(value) filter (name = 'score_sum'), 0)::bigint as score_sum,
    coalesce(sum(value) filter (name = 'score_max'), 0)::bigint as score_max,
    coalesce(sum(value) filter (name = 'first_responses'), 0)::bigint as first_responses,
    coalesce(sum(value) filter (name = 'next_responses'), 0)::bigint as next_responses,
    coalesce(sum(value) filter (name = 'resolutions'), 0)::bigint as resolutions,
    coalesce(sum(value) filter (name = 'complaints'), 0)::bigint as complaints,
    coalesce(sum(value) filter (name = 'ewt_n'), 0)::bigint as ewt_n,
    coalesce(sum(value) filter (name = 'wait_answered'), 0)::bigint as wait_answered_ms,
    coalesce(sum(value) filter (name = 'wait_accepted'), 0)::bigint as wait_accepted_ms,
    coalesce(sum(value) filter (name = 'wait_abandoned'), 0)::bigint as wait_abandoned_ms,
    coalesce(sum(value) filter (name = 'talk'), 0)::bigint as talk_ms,
    coalesce(sum(value) filter (name = 'hold'), 0)::bigint as hold_ms,
    coalesce(sum(value) filter (name = 'wrap_up'), 0)::bigint as wrap_up_ms,
    coalesce(sum(value) filter (name = 'trunk'), 0)::bigint as trunk_ms,
    coalesce(sum(value) filter (name = 'ready'), 0)::bigint as ready_ms,
    coalesce(sum(value) filter (name = 'signed_in'), 0)::bigint as signed_in_ms,
    coalesce(sum(value) filter (name = 'first_response'), 0)::bigint as first_response_ms,
    coalesce(sum(value) filter (name = 'next_response'), 0)::bigint as next_response_ms,
    coalesce(sum(value) filter (name = 'resolution'), 0)::bigint as resolution_ms,
    coalesce(sum(value) filter (name = 'ewt_p50'), 0)::bigint as ewt_p50_ms,
    coalesce(sum(value) filter (name = 'ewt_p90'), 0)::bigint as ewt_p90_ms,
    coalesce(sum(value) filter (name = 'ewt_scored'), 0)::bigint as ewt_scored,
    coalesce(sum(value) filter (name = 'ewt_p50_met'), 0)::bigint as ewt_p50_met,
    coalesce(sum(value) filter (name = 'ewt_p90_met'), 0)::bigint as ewt_p90_met,
    coalesce(sum(value) filter (name = 'fcr_resolved'), 0)::bigint as fcr_resolved,
    coalesce(sum(value) filter (name = 'fcr_once'), 0)::bigint as fcr_once,
    coalesce(sum(value) filter (name = 'fcr_final_resolved'), 0)::bigint as fcr_final_resolved,
    coalesce(sum(value) filter (name = 'fcr_final_once'), 0)::bigint as fcr_final_once,
    coalesce(sum(value) filter (name = 'chat_slot'), 0)::bigint as chat_slot_ms,
    coalesce(sum(value) filter (name = 'chat_busy'), 0)::bigint as chat_busy_ms,
    coalesce(sum(value) filter (name = 'chat_capacity'), 0)::bigint as chat_capacity_ms,
    coalesce(sum(value) filter (name = 'scheduled'), 0)::bigint as scheduled,
    coalesce(sum(value) filter (name = 'present'), 0)::bigint as present,
    coalesce(sum(value) filter (name = 'scheduled_time'), 0)::bigint as scheduled_ms,
    coalesce(sum(value) filter (name = 'adherent'), 0)::bigint as adherent_ms,
    coalesce(sum(value) filter (name like 'cost_%'), 0)::bigint as cost_micros,
    count(distinct name) filter (name like 'cost_%' and value <> 0) as currencies,
    -- by agent and team from the ledger; of a queue or channel the union of work with its contacts
    coalesce(sum(value) filter (name = case when groups & 12 = 12 then 'busy' else 'queue_busy' end), 0)::bigint as busy_ms
from sums group by all;

create table counted_within as
select attribution, tenant, step, start, end_, groups, queue, channel, agent, team, threshold_s,
    coalesce(sum(value) filter (name = 'answered'), 0)::bigint as answered_in_threshold,
    coalesce(sum(value) filter (name in ('abandoned', 'short_abandoned')), 0)::bigint as abandoned_in_threshold,
    coalesce(sum(value) filter (name <> 'accepted'), 0)::bigint as removed_in_threshold
from sums_within group by all;

-- those who wait are looked at from now on: longer than T is a miss; how long is told where it is known when one asks
create table waiting_over as
select s.tenant, c.step, c.start, grouping_id(queue, channel) as groups, queue, channel, t.threshold_s,
    count(*) filter (getvariable('now') - s.t_enq > t.threshold_s * 1000) as waiting_over,
    min(s.t_enq) as longest_since, min(s.arrived_at) as longest_arrival_since
from stays s join calendar c on s.t_enq >= c.start and s.t_enq < c.end_ cross join thresholds t
where s.outcome is null
group by grouping sets (
    (s.tenant, c.step, c.start, t.threshold_s, queue), (s.tenant, c.step, c.start, t.threshold_s, channel),
    (s.tenant, c.step, c.start, t.threshold_s, queue, channel), (s.tenant, c.step, c.start, t.threshold_s)
);

create table figures as
with one as (
    select c.*, t.threshold_s, coalesce(w.answered_in_threshold, 0) as answered_in_threshold,
        coalesce(w.abandoned_in_threshold, 0) as abandoned_in_threshold,
        coalesce(w.removed_in_threshold, 0) as removed_in_threshold, coalesce(o.waiting_over, 0) as waiting_over,
        o.longest_since, o.longest_arrival_since
    from counted c cross join thresholds t
        left join counted_within w on w.attribution = c.attribution and w.tenant = c.tenant and w.step = c.step
            and w.start = c.start and w.groups = c.groups and w.threshold_s = t.threshold_s
            and w.queue is not distinct from c.queue and w.channel is not distinct from c.channel
            and w.agent is not distinct from c.agent and w.team is not distinct from c.team
        left join waiting_over o on c.attribution = 'cohort' and o.tenant = c.tenant and o.step = c.step
            and o.start = c.start and o.threshold_s = t.threshold_s and o.groups = c.groups >> 2 and c.groups & 3 = 3
            and o.queue is not distinct from c.queue and o.channel is not distinct from c.channel
)
select *,
    ratio(answered_in_threshold, answered) as sl_answered,
    ratio(answered_in_threshold, answered + abandoned) as sl_strict,
    ratio(answered_in_threshold, answered + abandoned - abandoned_in_threshold) as sl_ignore_early,
    ratio(answered_in_threshold + abandoned_in_threshold, answered + abandoned) as sl_positive,
    ratio(answered_in_threshold + short_abandoned, answered + abandoned) as sl_short_credit,
    ratio(answered_in_threshold, answered + abandoned - short_abandoned) as sl_excl_short,
    ratio(removed_in_threshold, offered) as sl_connect,
    ratio(answered_in_threshold, answered + abandoned + flowed_out) as sl_offered,
    ratio(answered_in_threshold, answered + waiting_over) as "sl_answered.live",
    ratio(answered_in_threshold, answered + abandoned + waiting_over) as "sl_strict.live",
    ratio(answered_in_threshold, answered + abandoned - abandoned_in_threshold + waiting_over) as "sl_ignore_early.live",
    ratio(answered_in_threshold + abandoned_in_threshold, answered + abandoned + waiting_over) as "sl_positive.live",
    ratio(answered_in_threshold + short_abandoned, answered + abandoned + waiting_over) as "sl_short_credit.live",
    ratio(answered_in_threshold, answered + abandoned - short_abandoned + waiting_over) as "sl_excl_short.live",
    ratio(removed_in_threshold, offered) as "sl_connect.live",
    ratio(answered_in_threshold, answered + abandoned + flowed_out + waiting_over) as "sl_offered.live",
    ratio(wait_answered_ms / 1000, answered) as asa,
    ratio(wait_accepted_ms / 1000, accepted) as asa_accept,
    ratio(abandoned, answered + abandoned) as abandon_rate_queued,
    ratio(wait_abandoned_ms / 1000, abandoned) as avg_abandon_time,
    ratio(answered, offered) as answer_rate,
    ratio(offers_expired + offers_declined, offers) as non_response,
    ratio(talk_ms / 1000, answered) as att,
    ratio((talk_ms + hold_ms) / 1000, answered) as att_incl_hold,
    ratio(wrap_up_ms / 1000, answered) as acw,
    ratio((talk_ms + hold_ms + wrap_up_ms) / 1000, answered) as aht,
    ratio(trunk_ms / 1000, trunk_seizures) as atht,
    ratio(transferred, handled) as transfer_rate,
    ratio(complaints, handled) as complaint_rate,
    ratio(score_sum, score_max) as csat,
    ratio(abandoned, system_connected) as abandon_rate_connected,
    ratio(blocked_unqueued, started) as blocked_rate,
    ratio(answered_by_system, started) as self_service_rate,
    ratio(ivr_contained, ivr_entered) as ivr_containment,
    started as contacts_received,
    ratio(handled * 3600000, signed_in_ms) as contacts_per_agent_hour,
    ratio(first_response_ms / 1000, first_responses) as first_response,
    ratio(next_response_ms / 1000, next_responses) as next_response,
    ratio(resolution_ms / 1000, resolutions) as resolution_time,
    ratio(ewt_p50_ms / 1000, ewt_n) as ewt_p50,
    ratio(ewt_p90_ms / 1000, ewt_n) as ewt_p90,
    ratio(ewt_p50_met, ewt_scored) as ewt_p50_hit,
    ratio(ewt_p90_met, ewt_scored) as ewt_p90_hit,
    ratio(fcr_once, fcr_resolved) as fcr_open,
    ratio(fcr_final_once, fcr_final_resolved) as fcr_final,
    -- of agents' whole time: no queue's and no channel's
    case when groups & 12 = 12 then ratio(busy_ms, busy_ms + ready_ms) end as occupancy,
    ratio(busy_ms, signed_in_ms) as utilization,
    ratio(chat_slot_ms, chat_capacity_ms) as slot_occupancy,
    ratio(chat_slot_ms, chat_busy_ms) as chat_concurrency,
    ratio(adherent_ms, scheduled_ms) as adherence,
    ratio(present, scheduled) as attendance,
    case when currencies = 1 then ratio(cost_micros / 1000000, answered + answered_by_system) end as cost_per_contact,
    waiting as queue_depth, longest_since, longest_arrival_since
from one;

-- exact: the least wait that at least p of all waits do not exceed
create macro exact_quantile(ordered, p) as ordered[greatest(1, ceil(len(ordered) * p))::bigint];

create table percentiles as
with waits as (
    select attribution, tenant, step, start, grouping_id(queue, channel, agent, team) as groups,
        queue, channel, agent, team,
        list(wait_ms order by wait_ms) filter (wait_ms is not null and name <> 'accepted') as ordered,
        list(value order by value) filter (name = 'first_response') as responses
    from dated d join calendar c on d.happened >= c.start and d.happened < c.end_
    where (wait_ms is not null and name <> 'accepted') or name = 'first_response'
    group by grouping sets (
        (attribution, tenant, step, start, queue), (attribution, tenant, step, start, channel),
        (attribution, tenant, step, start, queue, channel), (attribution, tenant, step, start, agent),
        (attribution, tenant, step, start, team), (attribution, tenant, step, start),
        (attribution, tenant, step, start, queue, agent)
    )
)
select * exclude (ordered, responses), exact_quantile(ordered, 0.5) / 1000 as wait_p50,
    exact_quantile(ordered, 0.9) / 1000 as wait_p90, exact_quantile(ordered, 0.99) / 1000 as wait_p99,
    exact_quantile(responses, 0.5) / 1000 as first_response_p50, exact_quantile(responses, 0.9) / 1000 as first_response_p90,
    exact_quantile(responses, 0.99) / 1000 as first_response_p99
from waits;
