-- What was found out about incidents, once per event that asked for it, and never changed.
create table evidence (
	incident text not null,
	kind     text not null, -- of the event
	at       bigint not null,
	data     text not null, -- JSON
	sum      bigint not null,
	primary key (incident, kind)
);
