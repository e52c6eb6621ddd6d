// Package redis keeps entries, queue and change logs in Redis 7 or later, for
// any number of processes: the store for more than one machine. It works on a
// single server, behind Sentinel and on a Cluster.
//
// Every call is one Lua script and one round trip, which is atomic. All keys
// begin with a prefix that holds a hash tag, so that they are in one slot:
//
//	key              type     holds
//	e:ID             hash     an entry: doc (JSON without revision and attempts), rev, attempts, updated, seq,
//	                          user, app, live, repository, commits; lane, at, joined, lost: its place in the queue
//	p:ID             string   its payload, for a time
//	k:USER KEY       string   the id of the entry that the key made, for a time
//	u:USER[/APP]     zset     ids, in their order
//	x:REPOSITORY     zset     "COMMIT ID"
//	queue            zset     id by when it is ready, in microseconds: what waits to be claimed
//	claims           zset     id by when its lease ends
//	held             hash     "lane LANE" or "app USER/APP" to the id that holds it
//	l:LANE           hash     newest entry, when pushed
//	a:USER/APP       string   newest entry that joined
//	g:NONCE          string   what a call of Claim was granted, while the lease lasts
//	f:USER           stream   the user's changes; the ids of the stream are their Seqs
//	m:USER           hash     last and trimmed Seq
//	users            set      users that have entries
//	count            string   how many changes there were in all
//	epoch, born      string   which data this is, and since when
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
//
// # What is not done here
//
// Calls are made again where Redis did not answer, for a moment; scripts notice
// a call that was done already. A caller whose time is up may still find its
// write done.
package redis
