// Package bolt keeps entries, queue and change logs in one file, by
// go.etcd.io/bbolt: the store that webhooks uses by default, for one process.
//
// Every write is part of a transaction, and durable when it returns. Writes that
// are made at the same time share a transaction, and so its sync.
//
// # The file
//
// Entries are identified by their Order, the number that the store assigned when it
// accepted them, so new entries are written at the end of each bucket. Numbers have
// 8 bytes in big-endian order; times are Unix nanoseconds; 0 is a zero byte; a hash
// has the first 16 bytes of a SHA-256.
//
//	bucket    key                         value
//	meta      "format"                    the version of this table
//	meta      "last"                      Order and time of the last acceptance
//	meta      "delayed"                   when an entry was last queued for later
//	meta      "room"                      – at the start only: zeroes, to check that there is room
//	entries   Order                       the entry, see record
//	ids       id                          Order
//	payloads  Order                       the payload as it was received
//	keys      hash of user and key        Order, and when the key was made
//	users     user                        last and trimmed Seq; number of changes and of entries
//	index     user 0 app 0 Order          –   app is "" for all entries of the user
//	counts    user 0 app 0 block          number of keys in index whose Order is in the block
//	commits   hash of repository, commit 0 Order –
//	queue     when ready, Order           –   what can be claimed
//	waiting   lane 0 when ready, Order    –   what waits in a lane
//	claims    Order                       see claim
//	lanes     lane                        Order of the newest entry, and when it was pushed
//	apps      user/app                    Order of the newest entry that claimed the app
//	changes   user 0 Seq                  Order if the entry has not changed since, else the entry as it was then
//	outbox    id                          –
//
// Of the entries that wait in a lane, only the first is in the queue, and none
// while the lane is claimed. So it makes no difference how many wait.
//
// # Time
//
// The queue and leases use the monotonic clock, so no claim is lost when the clock
// of the machine is corrected. The file is locked by its process: claims of another
// process, which must have ended, count as expired.
package bolt
