// Package redis keeps entries, queue and change logs in Redis 7 or later, for
// any number of processes: the store for more than one machine. It works on a
// single server, behind Sentinel and on a Cluster.
//
// Every call is one atomic Lua script and one round trip; concurrent deliveries share
// a call. All keys begin with a prefix that contains a hash tag, so they are in one
// slot:
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
//	g:NONCE      string  the lease       the result of a call of Claim: id and attempt; TTL
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
//	last         hash    for ever        the last Order, when it was assigned, and the run id of Redis
//	count        string  for ever        the number of all changes
//	epoch        string  for ever        identifies the data
//	born         string  for ever        since when, in milliseconds
//	seen         string  for ever        when Redis was last found to be writable
//
// Options sets the lifetimes. Keys with a TTL expire; the others are removed by Sweep,
// which every process calls at intervals. Live entries, which are pending or held,
// are never removed.
//
// Of the entries that wait in a lane only the first is in the queue, and none while
// the lane is claimed. So it makes no difference how many wait. The score of an
// entry that is ready at once is its Order, which is less than any time.
//
// # Changes are published
//
// The script that writes changes also publishes, on one channel for all users, the
// number of all changes, how many it wrote, and their users. Each process has one
// subscription. The stream is authoritative and the message is only a wake-up: a lost
// message is detected by the number in the next one, or by the number itself, which
// is read every two seconds.
//
// # Time
//
// Leases and Seqs use the clock of Redis, which is the same for all processes. Times
// from a caller, such as when to retry an entry, use its own clock. The scripts
// convert them: the time from now is the same by both clocks.
//
// # Outages
//
// A call fails within two seconds. Until then it is repeated if Redis does not
// answer. Scripts recognize a call that was done already, also if the caller repeats
// it later. If the answer of a claim of the outbox was lost, the lease expires. Each
// call has a deadline, by the clock of Redis if that is known, and a script does
// nothing after it. So the write of a caller that gives up may have been done if the
// answer was lost, but is never done later.
//
// Whether Redis can be used is checked every two seconds, and after a call that
// failed. Outages are logged, but not each failed call. If Redis is
// unavailable when the store is started, the store waits for it. Scripts are
// atomic: Redis refuses only the first write of a script.
//
// # Sentinel and Cluster
//
// The master is looked up for each new connection, at all Sentinels in Options, and connections to another are closed when it changes. A failover
// that takes longer than a call is an outage. The loss of acknowledged writes in a
// failover is not detected, see INSTANCES.md of the command.
//
// On a Cluster, scripts are refused with TRYAGAIN while the slot is moved to another
// node, which is an outage too.
package redis
