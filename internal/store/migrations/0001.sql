-- Statements here and in statements.go keep to what SQLite and PostgreSQL share.
-- Times are nanoseconds since the Unix epoch, 0 for none. Sums are CRC-32C.

-- Numbers that only grow, so that none is ever given twice.
create table counters (
	name  text primary key,
	value bigint not null
);
insert into counters (name, value) values ('budget', 0), ('journal', 0), ('outbox', 0), ('last_tick', 0);

-- A budget, the number that stands for it in the journal, and its state as of the last fold.
create table budgets (
	num     bigint primary key,
	id      text not null unique,
	through bigint not null,
	sum     bigint not null, -- of the three before
	state   blob             -- sealed JSON; null before the first fold
);

-- A packed record per tick since the last fold.
create table journal (
	seq  bigint primary key,
	data blob not null -- sealed
);

-- A block of the ledger per budget and UTC day.
create table days (
	budget bigint not null,
	day    bigint not null, -- since the Unix epoch
	fine   bigint not null, -- the first minute of the day that is kept as a minute; 0 if none is
	data   blob not null,   -- sealed
	primary key (budget, day)
);
create index days_fine on days (budget, day, fine) where fine > 0;

create table incidents (
	id       text primary key,
	slo      text not null,
	service  text not null,
	open     bigint not null, -- 1 or 0
	detected bigint not null,
	resolved bigint not null,
	data     text not null,   -- JSON
	sum      bigint not null
);
create index incidents_open on incidents (id) where open = 1;
create index incidents_detected on incidents (detected);
create index incidents_service on incidents (service, detected);

create table outbox (
	key      text primary key,
	seq      bigint not null unique,
	leg      text not null,
	lane     bigint not null,
	channel  text not null,
	thread   text not null,
	op       text not null,
	created  bigint not null,
	entry    text not null, -- JSON of what never changes
	sum      bigint not null,
	state    text not null,
	attempts bigint not null,
	begun    bigint not null,
	next_try bigint not null,
	last_err text not null,
	settled  bigint not null,
	receipt  text not null  -- JSON, '' before there is one
);
create index outbox_pending on outbox (seq) where state = 'pending';
create index outbox_thread on outbox (thread, seq);
create index outbox_state on outbox (state, seq);

-- Reading positions, in the reader's own encoding.
create table marks (
	name text primary key,
	data blob not null -- sealed
);

create table facts (
	name  text primary key,
	value text not null,
	sum   bigint not null
);

create table reports (
	name      text not null,
	period    text not null,
	from_time bigint not null,
	to_time   bigint not null,
	at        bigint not null,
	markdown  text not null,
	data      text not null, -- JSON
	primary key (name, period)
);
create index reports_to on reports (to_time);
