// Package redis keeps entries, queue and change logs in Redis 7 or later, for
// any number of processes: the store for more than one machine. It works on a
// single server, behind Sentinel and on a Cluster.
//
// Every call is one Lua script and one round trip, which is atomic. All keys
// begin with a prefix that holds a hash tag, so that they are in one slot:
//
//	key          type    life            holds
//	e:ID         hash    KeepEntries     an entry: doc (JSON without order, revision and attempts), order, rev,
//	                                     attempts, updated, seq, user, app, live, repository, commits, nonce of
//	                                     the last save; lane, at, queued, joined, lost: its place in the queue
//	p:ID         string  KeepPayloads    its payload; TTL
//	k:USER KEY   string  KeepKeys        the id of the entry that the key made; TTL
//	u:USER       zset    KeepEntries     ids by Order
//	u:USER/APP   zset    KeepEntries     ids of the app by Order
//	x:REPO       zset    KeepEntries     "COMMIT ID"
//	l:LANE       hash    KeepEntries     newest entry: id, order, pushed; TTL, anew with each entry
//	a:USER/APP   hash    KeepEntries     newest entry that claimed the app: id, order; TTL, anew with each entry
//	g:NONCE      string  the lease       what a call of Claim was granted: id and attempt; TTL
//	f:USER       stream  KeepChanges     the user's changes, MaxChanges at most; the ids of the stream are their Seqs
//	m:USER       hash    as the user     last and trimmed Seq; for KeepEntries more when the user's last entry is gone
//	users        set     their entries   users that have entries or changes
//	queue        zset    as live         what waits to be claimed: id by its Order if it is ready at once, else by
//	                                     when it is ready, in microseconds, which is a larger number
//	claims       zset    as live         id by when its lease ends
//	outbox       zset    as live         id by when another may tell its outcome
//	held         hash    as live         "lane LANE" or "app USER/APP" to the id that holds it
//	count        string  for ever        how many changes there were in all
//	epoch        string  for ever        which data this is
//	born         string  for ever        since when, in milliseconds
//	last         hash    for ever        order: of the entry that was accepted last, accepted: when, delayed: when
//	                                     something was last queued for later
//	seen         string  for ever        when somebody found last that Redis can be written
//
// Options names the lives. Keys with a TTL end by themselves; the others are
// removed by Sweep, which every process does now and then, but never a live
// entry, one that is pending or held.
//
// # Changes go out by pub/sub
//
// The script that writes a change also publishes, on one channel for all users,
// who has one and how many changes there were in all. Each process has one
// subscription. The stream is the truth and the message only wakes: a message
// that is lost is noticed by the next one's number, or by the number itself,
// which is asked for every two seconds.
//
// # Time
//
// Leases and Seqs are by the clock of Redis, which is one for all processes.
// Times that a caller names, such as when an entry is to be tried again, are by
// its own; the scripts take them for as far away as they are by that.
//
// # Outages
//
// A call fails within two seconds. Until then it is made again where Redis did
// not answer, and scripts notice a call that was done already; so they do where
// the caller makes the very same call again later. An outcome that a lost answer
// named is owed again when its lease has run out. Each call says, by the clock
// of Redis as far as it is known, when its time is up, and a script that comes
// to its turn after that does nothing. So a caller whose time is up finds its
// write done only where the answer was lost, and never done later.
//
// Whether Redis can be used is asked every two seconds, and at once after a call
// that failed; the log tells when an outage begins and when it ends. Scripts
// write all or nothing: Redis refuses only the first write of a script.
//
// # Sentinel and Cluster
//
// The master is asked for at each new connection, of all the Sentinels that
// Options names, and connections to another are ended when it changes. A
// failover that takes longer than a call is an outage; one that loses what was
// acknowledged is not noticed, see INSTANCES.md of the command.
//
// On a Cluster, scripts are refused with TRYAGAIN while the slot is moved to
// another node, which is an outage too.
package redis
