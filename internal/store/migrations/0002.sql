-- What people did: every act, in the order in which it was told, never changed and never deleted.
create table acts (
	seq      bigint primary key,
	key      text not null unique,
	at       bigint not null,
	kind     text not null,
	incident text not null,
	slo      text not null,
	service  text not null,
	data     text not null, -- JSON of all of it
	sum      bigint not null
);
create index acts_at on acts (at);
create index acts_incident on acts (incident, seq) where incident <> '';
insert into counters (name, value) values ('act', 0);
