// Package redis keeps entries, queue and change logs in Redis 7 or later, for
// any number of processes: the store for more than one machine. It works on a
// single server, behind Sentinel and on a Cluster.
//
// Every call is one Lua script and one round trip, which is atomic; deliveries that
// come at the same time share a call. All keys begin with a prefix that holds a hash
// tag, so that they are in one slot:
//
//	key          type    life            value
//	e:ID         hash    KeepEntries     an entry: doc (of core.EncodeEntry), rev, attempts, updated, order, seq;
//	                                     user, app, live, created, repository, commits, nonce of the last save;
//	                                     lane, at, claimed_app, lost: its place in the queue
//	p:ID         string  KeepPayloads    its payload; TTL
//	k:USER KEY   string  KeepKeys        the id of the entry that the key made; TTL
//	u:USER       zset    KeepEntries     ids by Order
//	u:USER/APP   zset    KeepEntries     ids of the app by Order
//	x:REPO       zset    KeepEntries     "COMMIT ID"
//	l:LANE       hash    KeepEntries     newest entry, its Order, when it was pushed
//	a:USER/APP   hash    KeepEntries     newest entry that claimed the app, its Order; TTL, renewed by each claim
//	g:NONCE      string  the lease       what a call of Claim returned: id and attempt; TTL
//	f:USER       stream  KeepChanges     the user's changes, MaxChanges at most; the ids of the stream are their Seqs
//	m:USER       hash    as the user     last and trimmed Seq; for KeepEntries more when the user's last entry is gone
//	users        set     their entries   users that have entries or changes
//	queue        zset    as live         "ID LANE" by when it is ready: what can be claimed
//	w:LANE       zset    as live         id by when it is ready: what waits in the lane
//	delayed      zset    as live         id by when it was queued for later
//	claims       zset    as live         id by when its lease expires
//	outbox       zset    as live         id by when its lease expires
//	held         hash    as live         "lane LANE" or "app USER/APP" to the id that has claimed it, and "entry ID"
//	                                     to the lane
//	last         hash    for ever        the last Order, and when it was given
//	count        string  for ever        how many changes there were in all
//	epoch        string  for ever        which data this is
//	born         string  for ever        since when, in milliseconds
//	seen         string  for ever        when it was last found that Redis can be written
//
// Options has the lives. Keys with a TTL expire; the others are removed by Sweep,
// which every process calls now and then, but never a live entry, one that is
// pending or held.
//
// Of the entries that wait in a lane only the first is in the queue, and none while
// the lane is claimed. So it makes no difference how many wait. An entry that is
// ready at once has its Order for a time, which is less than any time.
//
// # Changes go out by pub/sub
//
// The script that writes changes also publishes, on one channel for all users, how
// many there were in all, how many it wrote, and their users. Each process has one
// subscription. The stream is the truth and the message only wakes: a lost message
// is noticed by the number in the next one, or by the number itself, which is read
// every two seconds.
//
// # Time
//
// Leases and Seqs go by the clock of Redis, which is the same for all processes.
// Times that a caller names, such as when to retry an entry, go by its own clock;
// the scripts take them for as far away as they are by that clock.
//
// # Outages
//
// A call fails within two seconds. Until then it is repeated if Redis does not
// answer, and scripts notice a call that was done already; they do too if the caller
// makes the same call again later. If the answer of a claim of the outbox was lost,
// the lease expires. Each call names its deadline, by the clock of Redis as far as
// it is known, and a script does nothing after it. So a caller that gives up finds
// its write done only if the answer was lost, and never done later.
//
// Whether Redis can be used is checked every two seconds, and after a call that
// failed. Outages are logged, one by one and not call by call. If Redis is
// unavailable when the store is started, the store waits for it. Scripts write all
// or nothing: Redis refuses only the first write of a script.
//
// # Sentinel and Cluster
//
// The master is looked up at each new connection, with all the Sentinels that
// Options names, and connections to another are closed when it changes. A failover
// that takes longer than a call is an outage; one that loses what was acknowledged
// is not noticed, see INSTANCES.md of the command.
//
// On a Cluster, scripts are refused with TRYAGAIN while the slot is moved to another
// node, which is an outage too.
package redis
