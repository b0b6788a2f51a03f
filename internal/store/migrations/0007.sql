-- Every act is sealed with the one before it: chain.go. Acts from before are sealed as they are found
-- by this migration.
alter table acts add column hash text not null default '';

-- Where the chain ends, and where it began.
create table chain (
	one   bigint primary key,
	began bigint not null, -- when the acts before the first were sealed; 0 if there were none
	first bigint not null, -- number of the first act that was sealed when it was recorded
	seq   bigint not null, -- of the newest act
	hash  text not null    -- its hash
);
