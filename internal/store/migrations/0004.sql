-- Several daemons on one PostgreSQL: who leads, and what the others took from people for it.
-- On SQLite, which one process has for itself, both stay as they are here.
create table leader (
	one    bigint primary key,
	term   bigint not null, -- grows with each change of leader
	holder text not null    -- new for each term: after a failover a number may come twice
);
insert into leader (one, term, holder) values (1, 0, '');

create table inbox (
	key     text primary key,
	seq     bigint not null unique,
	kind    text not null,
	at      bigint not null,
	data    text not null,   -- JSON
	sum     bigint not null,
	done    bigint not null, -- when the leader answered; 0 before
	verdict text not null    -- JSON, '' before
);
create index inbox_open on inbox (seq) where done = 0;
insert into counters (name, value) values ('inbox', 0);
