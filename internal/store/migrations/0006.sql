-- How the outbox does is read at every scrape, from these alone: counts from what waits or was given
-- up, and the newest of what was sent, by receiver and channel.
drop index outbox_state;
create index outbox_state on outbox (state, created);
create index outbox_waiting on outbox (leg, channel, created, attempts) where state = 'pending';
create index outbox_way on outbox (leg, channel, state, settled);
create index outbox_failed on outbox (leg, channel, seq) where last_err <> '';
-- Incidents are listed in this order, and ten thousand may have begun in one minute.
drop index incidents_detected;
create index incidents_newest on incidents (detected desc, id);
