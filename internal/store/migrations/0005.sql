-- What an entry depends on stands beside it, so that nobody has to read it to know that: 1 if it only
-- follows up on what was told, 2 if it only matters once its post is found.
alter table outbox add column flags bigint not null default 0;
update outbox set flags = 1 where state = 'pending' and entry like '%"if_told":true}';
