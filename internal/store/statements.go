package store

// All SQL is here and in migrations. SQLite and PostgreSQL both take it: numbered parameters, `on
// conflict`, `returning`, no types beyond bigint, text and blob. PostgreSQL gives a parameter the
// type of its first use, so one that is compared with 0 first is cast.
const (
	// The leadership, on PostgreSQL only. The check of a term locks its row, so that the next term
	// begins after the transaction. A server that was promoted holds the row of a term that it has
	// never seen begin; so a term is good for one timeline.
	sqlOnTimeline = `substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`
	sqlLead       = `update leader set term = term + 1, holder = $1 where one = 1 returning term, ` + sqlOnTimeline
	sqlUnseat     = `update leader set term = term + 1, holder = '' where one = 1`
	sqlIsTerm     = `select 1 from leader where one = 1 and term = $1 and holder = $2 and ` + sqlOnTimeline + ` = $3`
	sqlTerm       = `select count(*) from (` + sqlIsTerm + `) x`
	sqlFence      = `select count(*) from (` + sqlIsTerm + ` for share) x`

	sqlNext = `update counters set value = value + $1 where name = $2 returning value`
	sqlSet  = `update counters set value = $1 where name = $2`
	sqlGet  = `select value from counters where name = $1`

	sqlBudgets   = `select num, id, through, sum, state from budgets order by num`
	sqlAddBudget = `insert into budgets (num, id, through, sum, state) values ($1, $2, 0, $3, null)`
	sqlSetBudget = `insert into budgets (num, id, through, sum, state) values ($1, $2, $3, $4, $5)
		on conflict (num) do update set through = excluded.through, sum = excluded.sum, state = coalesce(excluded.state, budgets.state)`
	sqlForget       = `delete from budgets where num = $1`
	sqlForgetDays   = `delete from days where budget = $1`
	sqlJournal      = `select seq, data from journal order by seq`
	sqlAddJournal   = `insert into journal (seq, data) values ($1, $2)`
	sqlClearJournal = `delete from journal where seq <= $1`

	sqlDays     = `select budget, day, data from days order by budget, day`
	sqlFineDays = `select budget, day, fine from days where fine > 0`
	sqlSetDay   = `insert into days (budget, day, fine, data) values ($1, $2, $3, $4)
		on conflict (budget, day) do update set fine = excluded.fine, data = excluded.data`
	sqlDropDays = `delete from days where day < $1`

	sqlSetIncident = `insert into incidents (id, slo, service, open, detected, resolved, data, sum)
		values ($1, $2, $3, $4, $5, $6, $7, $8)
		on conflict (id) do update set open = excluded.open, detected = excluded.detected,
			resolved = excluded.resolved, data = excluded.data, sum = excluded.sum`
	// Nothing that an index holds has changed.
	sqlKeepIncident  = `update incidents set data = $1, sum = $2 where id = $3 and open = $4 and detected = $5 and resolved = $6`
	sqlIncidentRow   = `select data, sum, id, slo, open, detected, resolved from incidents `
	sqlOpenIncidents = sqlIncidentRow + `where open = 1 order by id`
	sqlIncident      = sqlIncidentRow + `where id = $1`
	// An SLO's incidents include those of its single budgets, whose IDs go on with a brace.
	sqlIncidents = sqlIncidentRow + `
		where ($1 = '' or service = $1)
		and ($2 = '' or slo = $2 or substr(slo, 1, length($2) + 1) = $2 || '{')
		and (cast($3 as bigint) = 0 or open = 1)
		and (cast($4 as bigint) = 0 or open = 1 or resolved > $4)
		and (cast($5 as bigint) = 0 or detected < $5)
		order by detected desc, id limit $6`

	sqlAddAct = `insert into acts (seq, key, at, kind, incident, slo, service, data, sum, hash)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	sqlActRow  = `select data, sum, key, at, kind, incident, slo, service from acts `
	sqlAct     = sqlActRow + `where key = $1`
	sqlActText = `select data from acts where key = $1`
	// Its row of values is one of many, see inserts.
	sqlTakenActs = `select key from acts where key in (values ($1))`
	sqlActs      = sqlActRow + `
		where ($1 = '' or kind = $1) and ($2 = '' or incident = $2) and ($3 = '' or service = $3)
		and (cast($4 as bigint) = 0 or at >= $4) and (cast($5 as bigint) = 0 or at < $5)
		order by seq desc limit $6`

	// What is remembered beside the budgets. Permits and changes matter for some time only.
	sqlWideActs = sqlActRow + `
		where incident = '' and (kind in ('silence', 'undo', 'exempt') or kind in ('override', 'change', 'experiment') and at >= $1)
			or kind in ('ask', 'approve', 'reject') and at >= $1
		order by seq`

	// The log of acts as a chain, see chain.go.
	sqlChain    = `select began, first, seq, hash from chain where one = 1`
	sqlSetChain = `insert into chain (one, began, first, seq, hash) values (1, $1, $2, $3, $4)
		on conflict (one) do update set seq = excluded.seq, hash = excluded.hash`
	sqlSealAct        = `update acts set hash = $1 where seq = $2`
	sqlLinks          = `select seq, key, at, kind, incident, slo, service, data, sum, hash from acts where seq > $1 order by seq limit $2`
	sqlHash           = `select hash from acts where seq = $1`
	sqlChainAndNewest = `select began, first, seq, hash, (select coalesce(max(seq), 0) from acts) from chain where one = 1`
	sqlNewestAct      = `select coalesce(max(seq), 0) from acts`

	sqlAddEvidence = `insert into evidence (incident, kind, at, data, sum) values ($1, $2, $3, $4, $5)
		on conflict (incident, kind) do nothing`
	sqlEvidence     = `select incident, kind, at, data, sum from evidence where incident = $1 order by at, kind`
	sqlOpenEvidence = `select e.incident, e.kind, e.at, e.data, e.sum from evidence e join incidents i on i.id = e.incident
		where i.open = 1 order by e.at, e.incident, e.kind`

	// What is owed already is left alone; only that it may have been sent unwritten is added.
	sqlOwe = `insert into outbox (key, seq, leg, lane, channel, thread, op, created, entry, sum,
			state, attempts, begun, next_try, last_err, settled, receipt, flags)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', 0, $11, 0, '', 0, '', $12)
		on conflict (key) do update set begun = excluded.begun
			where outbox.state = 'pending' and outbox.begun = 0 and excluded.begun > 0`
	owedColumns = `seq, entry, sum, state, attempts, begun, next_try, last_err, settled, receipt`
	sqlOwed     = `select ` + owedColumns + ` from outbox `
	// What stands beside an entry says everything but what it says.
	// A long key or thread may be kept shortened, and the entry has it whole.
	sqlHeader = `select seq, key, leg, lane, channel, thread, op, created, flags, state, attempts, begun, next_try, last_err,
			settled, receipt, case when length(key) + length(thread) > 250 then entry else '' end from outbox `
	sqlPending = sqlHeader + `where state = 'pending' and seq > $1 order by seq`
	sqlBody    = `select entry, sum from outbox where key = $1`
	sqlList    = sqlOwed + `where ($1 = '' or state = $1) and ($2 = '' or leg = $2) and ($3 = '' or thread = $3)
		and ($4 = '' or channel = $4) order by seq desc limit $5`
	// Who has read something older than what is true begins nothing.
	sqlBegin = `update outbox set begun = $1 where key = $2 and state = 'pending' and begun = $3 and attempts = $4
		returning ` + owedColumns
	// What was sent stays sent, whatever is heard of it later. That it was sent is true whoever has
	// begun it since.
	sqlSettle = `update outbox set state = $1, next_try = $2, last_err = $3, settled = $4, receipt = $5, begun = 0,
			attempts = attempts + 1
		where key = $6 and state <> 'sent' and ($1 = 'sent' or begun = $7 and attempts = $8)`
	sqlStateOf  = `select state from outbox where key = $1`
	sqlHasEntry = `select count(*) from outbox where key = $1`
	sqlRoot     = sqlHeader + `where thread = $1 and leg = $2 and op <> 'reply' and state = 'sent'
		order by settled desc, seq desc limit 1`
	// These are answered by indexes, without a look at what the entries say.
	sqlDepth  = `select state, count(*) from outbox group by state`
	sqlOldest = `select coalesce(min(created), 0) from outbox where state = 'pending'`
	// The channels are found one by one, each by a step in the index, and asked about one by one.
	sqlNextWay = `select leg, channel from outbox where (leg, channel) > ($1, $2) order by leg, channel limit 1`
	sqlWay     = `select (select count(*) from outbox where state = 'pending' and leg = $1 and channel = $2),
		(select count(*) from outbox where state = 'pending' and leg = $1 and channel = $2 and attempts > 0),
		(select count(*) from outbox where state = 'dead' and leg = $1 and channel = $2),
		(select coalesce(min(created), 0) from outbox where state = 'pending' and leg = $1 and channel = $2),
		(select coalesce(max(settled), 0) from outbox where state = 'sent' and leg = $1 and channel = $2),
		coalesce((select last_err from outbox where leg = $1 and channel = $2 and last_err <> '' order by seq desc limit 1), '')`
	// A thread that is still in use keeps its root message.
	sqlPrune = `delete from outbox where state in ('sent', 'superseded')
		and case when settled > 0 then settled else created end < $1
		and not exists (select 1 from outbox o where o.thread = outbox.thread and o.state = 'pending')
		and not exists (select 1 from incidents i where i.id = outbox.thread and i.open = 1)`

	sqlMarks    = `select name, data from marks`
	sqlSetMark  = `insert into marks (name, data) values ($1, $2) on conflict (name) do update set data = excluded.data`
	sqlDropMark = `delete from marks where name = $1`
	sqlFacts    = `select name, value, sum from facts`
	sqlSetFact  = `insert into facts (name, value, sum) values ($1, $2, $3)
		on conflict (name) do update set value = excluded.value, sum = excluded.sum`
	sqlDropFact = `delete from facts where name = $1`

	sqlSetReport = `insert into reports (name, period, from_time, to_time, at, markdown, data) values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (name, period) do update set from_time = excluded.from_time, to_time = excluded.to_time,
			at = excluded.at, markdown = excluded.markdown, data = excluded.data`
	sqlReports = `select name, period, from_time, to_time, at, '', '' from reports
		where ($1 = '' or name = $1) order by to_time desc, name limit $2`
	sqlReport = `select name, period, from_time, to_time, at, markdown, data from reports where name = $1 and period = $2`
)
